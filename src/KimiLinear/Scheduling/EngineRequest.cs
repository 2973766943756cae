using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using KimiLinear.Caching;
using KimiLinear.Generation;

namespace KimiLinear.Scheduling;

/// <summary>
/// One request as the engine sees it. All but reading, abandoning and drawing happens on the engine's thread, and that waits for
/// drawing.
/// </summary>
internal sealed class EngineRequest
{
    private readonly Channel<GeneratedToken> _output = Channel.CreateUnbounded<GeneratedToken>(
        new UnboundedChannelOptions { SingleReader = true, SingleWriter = true });

    private readonly Action _wakeEngine;
    private readonly int _readAheadTokens;

    // What the sequence has to have read before the next token can be drawn: the prompt, and after a loss of memory the reply too.
    private int[] _known;

    // The prompt, the reply so far, and behind them what is guessed to follow.
    private int[] _tokens;
    private int _tokenCount;
    private SequenceState? _beforeDraft;
    private long _admittedAt;
    private TimeSpan _queueDuration;
    private TimeSpan _firstTokenDuration;
    private TimeSpan _decodeDuration;
    private int _unreadTokens;
    private bool _hasLostMemory;
    private bool _isAbandoned;

    /// <param name="prompt">The prompt, which the model can read.</param>
    /// <param name="options">What was asked for, with the defaults filled in.</param>
    /// <param name="reply">The reply, with nothing drawn yet.</param>
    /// <param name="readAheadTokens">How far the engine may be ahead of the reader.</param>
    /// <param name="wakeEngine">Tells the engine that a request has changed.</param>
    public EngineRequest(int[] prompt, GenerationOptions options, Reply reply, int readAheadTokens, Action wakeEngine)
    {
        Prompt = prompt;
        Options = options;
        Reply = reply;
        Caller = options.Caller is { } caller ? caller : this;
        _known = prompt;
        _tokens = prompt;
        _tokenCount = prompt.Length;
        _readAheadTokens = readAheadTokens;
        _wakeEngine = wakeEngine;
    }

    public int[] Prompt { get; }

    public GenerationOptions Options { get; }

    public Reply Reply { get; }

    /// <summary>When it came, as <see cref="Stopwatch.GetTimestamp"/> counts.</summary>
    public long SubmittedAt { get; } = Stopwatch.GetTimestamp();

    /// <summary>Who shares time with others: the caller's name, or the request itself.</summary>
    public object Caller { get; }

    /// <summary>The memory of the request while it has a place.</summary>
    public SequenceState? Sequence { get; private set; }

    /// <summary>Tokens of the prompt that were resumed.</summary>
    public int CachedTokens { get; private set; }

    /// <summary>Where the prompt shares its beginning with others and a copy shall be kept for them, or 0.</summary>
    public int BranchAt { get; set; }

    /// <summary>Where copies are kept inside a long prompt.</summary>
    public LongPromptCopies Copies { get; private set; } = new(0);

    /// <summary>When it got its place: larger is younger.</summary>
    public long Ticket { get; private set; }

    /// <summary>Gets or sets when it was computed last while there were more requests than places.</summary>
    public long LastTurn { get; set; }

    /// <summary>Tokens of the prompt, or of what replaces it, that are still to be read.</summary>
    public int UnreadKnownTokens => _known.Length - Sequence!.Length;

    /// <summary>What the sequence has to have read before the next token can be drawn.</summary>
    public ReadOnlyMemory<int> Known => _known;

    /// <summary>Whether the next step of the request draws a token from a single one.</summary>
    public bool IsDecoding => Sequence!.Length >= _known.Length;

    /// <summary>Whether the reader is so far behind that nothing shall be computed now.</summary>
    public bool IsPaused => Volatile.Read(ref _unreadTokens) >= _readAheadTokens;

    /// <summary>
    /// Whether it may get a place. Whoever lost its memory reads much again for what it computes next, so its reader has to have
    /// caught up by half.
    /// </summary>
    public bool MayGoOn => Volatile.Read(ref _unreadTokens) <= (_hasLostMemory ? _readAheadTokens / 2 : _readAheadTokens - 1);

    /// <summary>Whether nobody reads the reply any more.</summary>
    public bool IsAbandoned => Volatile.Read(ref _isAbandoned);

    /// <summary>The prompt and the reply so far.</summary>
    public ReadOnlySpan<int> Tokens => _tokens.AsSpan(0, _tokenCount);

    /// <summary>How guesses have fared.</summary>
    public DraftLength Guessing { get; } = new();

    /// <summary>Whether a guess could follow: nothing but the token drawn last is unread.</summary>
    public bool MayGuess => _tokenCount - Sequence!.Length == 1;

    /// <summary>When the token drawn last was measured, or 0.</summary>
    public long LastTokenAt { get; set; }

    /// <summary>How many tokens of the next step are guessed.</summary>
    public int DraftCount { get; private set; }

    /// <summary>The reader has left or cancelled; allowed from any thread.</summary>
    public void Abandon()
    {
        Volatile.Write(ref _isAbandoned, true);
        _wakeEngine();
    }

    /// <summary>Reads the reply as it is computed.</summary>
    public async IAsyncEnumerable<GeneratedToken> ReadAllAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (GeneratedToken token in _output.Reader.ReadAllAsync(cancellationToken).ConfigureAwait(false))
        {
            // Tokens computed ahead are not handed out after a cancellation.
            cancellationToken.ThrowIfCancellationRequested();
            int unread = Interlocked.Decrement(ref _unreadTokens);
            if (unread == _readAheadTokens - 1 || unread == _readAheadTokens / 2)
            {
                _wakeEngine();
            }

            yield return token;
        }
    }

    /// <summary>Gives the request a place.</summary>
    public void Admit(SequenceState sequence, long ticket)
    {
        Sequence = sequence;
        Ticket = ticket;
        _hasLostMemory = false;
        Copies = new LongPromptCopies(sequence.Length);
        if (_admittedAt == 0)
        {
            CachedTokens = sequence.Length;
            _admittedAt = Stopwatch.GetTimestamp();
            _queueDuration = Stopwatch.GetElapsedTime(SubmittedAt, _admittedAt);
        }
    }

    /// <summary>
    /// The tokens that the next step reads, once the known ones are read: the one drawn last, those before it that a wrong guess
    /// left unread, and a new guess.
    /// </summary>
    /// <param name="most">The most tokens to guess.</param>
    public ReadOnlyMemory<int> NextTokens(int most)
    {
        int start = Sequence!.Length;
        EnsureTokens(_tokenCount + most);
        DraftCount = most == 0 ? 0 : PromptLookup.Guess(Tokens, _tokens.AsSpan(_tokenCount, most));
        return _tokens.AsMemory(start, _tokenCount + DraftCount - start);
    }

    /// <summary>Takes the copy of the sequence from which it goes on if the guess is wrong.</summary>
    public void BeginDraft(SequenceState copy) => _beforeDraft = copy;

    /// <summary>Makes no guess after all.</summary>
    public void DropDraft() => DraftCount = 0;

    /// <summary>Ends a guess: all of it was right, or the sequence goes on from before it.</summary>
    /// <param name="right">How many tokens of the guess were drawn indeed.</param>
    public void EndDraft(int right)
    {
        if (_beforeDraft is null)
        {
            return;
        }

        Guessing.Learn(DraftCount, right);
        if (right < DraftCount)
        {
            Sequence!.Dispose();
            Sequence = _beforeDraft;
        }
        else
        {
            _beforeDraft.Dispose();
        }

        _beforeDraft = null;
    }

    /// <summary>Takes the place and the memory away; what was drawn so far is read again later.</summary>
    public void Preempt()
    {
        _known = Tokens.ToArray();
        _hasLostMemory = true;
        BranchAt = 0;
        DraftCount = 0;
        Release();
    }

    /// <summary>Gives the memory back.</summary>
    public void Release()
    {
        Sequence?.Dispose();
        Sequence = null;
        _beforeDraft?.Dispose();
        _beforeDraft = null;
    }

    /// <summary>Draws the next token and hands it to the reader.</summary>
    /// <param name="logits">The scores after all tokens so far.</param>
    /// <param name="maxContextTokens">The most tokens of a request.</param>
    /// <param name="stepDuration">What the step took, once for all tokens it brings.</param>
    /// <param name="wasGuessed">Receives whether it is the one that was guessed for this place.</param>
    /// <returns>Whether it was the last.</returns>
    public bool TakeLogits(Span<float> logits, int maxContextTokens, TimeSpan stepDuration, out bool wasGuessed)
    {
        bool isFirst = Reply.TokenCount == 0;
        GeneratedToken token = Reply.Next(logits, contextIsFull: _tokenCount >= maxContextTokens);
        EnsureTokens(_tokenCount + 1);
        wasGuessed = _tokenCount < Sequence!.Length && _tokens[_tokenCount] == token.Id;
        _tokens[_tokenCount++] = token.Id;
        _firstTokenDuration = isFirst ? Stopwatch.GetElapsedTime(_admittedAt) : _firstTokenDuration;
        _decodeDuration += isFirst ? TimeSpan.Zero : stepDuration;
        if (token.FinishReason is not null)
        {
            token = token with { Timings = Timings() };
        }

        Interlocked.Increment(ref _unreadTokens);
        _output.Writer.TryWrite(token);
        return token.FinishReason is not null;
    }

    /// <summary>Ends what the reader reads, with an error if there was one.</summary>
    public void Complete(Exception? error = null)
    {
        Release();
        _output.Writer.TryComplete(error);
    }

    private void EnsureTokens(int count)
    {
        // The prompt's own array is not written to.
        if (count > _tokens.Length)
        {
            int[] longer = new int[Math.Max(count, _tokens.Length * 2)];
            Tokens.CopyTo(longer);
            _tokens = longer;
        }
    }

    private GenerationTimings Timings() => new()
    {
        PromptTokenCount = Prompt.Length,
        CachedPromptTokenCount = CachedTokens,
        GeneratedTokenCount = Reply.TokenCount,
        QueueDuration = _queueDuration,
        TimeToFirstToken = _firstTokenDuration,
        DecodeDuration = _decodeDuration,
    };
}
