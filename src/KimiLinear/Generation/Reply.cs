using KimiLinear.Sampling;
using KimiLinear.Tokenization;

namespace KimiLinear.Generation;

/// <summary>The reply of one request as it grows: draws its tokens, turns them into text and finds its end.</summary>
/// <remarks>Knows nothing of how the logits came about. Allocates no memory per token beyond the text itself.</remarks>
internal sealed class Reply
{
    // Room for most replies; a longer one doubles it as it goes.
    private const int InitialCapacity = 4096;

    private readonly int[] _promptTokenIds;
    private readonly Sampler _sampler;
    private readonly KimiTokenizer _tokenizer;
    private readonly IncrementalDetokenizer _detokenizer;
    private readonly StopCondition _stop;
    private readonly int[] _stopTokenIds;
    private readonly int _maxTokens;
    private readonly bool _includeLogProbabilities;
    private int[] _tokenIds;

    /// <summary>Initializes a new instance of the <see cref="Reply"/> class.</summary>
    /// <param name="promptTokenIds">The prompt.</param>
    /// <param name="options">What was asked for, with the model's defaults filled in.</param>
    /// <param name="tokenizer">The tokenizer that makes the text.</param>
    /// <param name="vocabularySize">The number of logits (N).</param>
    public Reply(int[] promptTokenIds, GenerationOptions options, KimiTokenizer tokenizer, int vocabularySize)
    {
        _promptTokenIds = promptTokenIds;
        _includeLogProbabilities = options.IncludeLogProbabilities;
        _stopTokenIds = [.. options.StopTokenIds ?? []];
        ReplyConstraint? constraint =
            options.Grammar is { } grammar ? new ReplyConstraint(grammar, tokenizer, _stopTokenIds) : null;
        _sampler = new Sampler(
            options.SamplingOptions ?? new SamplingOptions(), vocabularySize, _includeLogProbabilities, constraint,
            options.ForbiddenTokenIds);
        _detokenizer = tokenizer.CreateDetokenizer(options.IncludeSpecialTokens);
        _tokenizer = tokenizer;
        _stop = new StopCondition(options.StopSequences);
        _maxTokens = options.MaxTokens ?? int.MaxValue;
        _tokenIds = new int[Math.Min(_maxTokens, InitialCapacity)];
    }

    /// <summary>Gets the number of tokens drawn so far.</summary>
    public int TokenCount { get; private set; }

    /// <summary>Gets the tokens drawn so far.</summary>
    public ReadOnlySpan<int> TokenIds => _tokenIds.AsSpan(0, TokenCount);

    /// <summary>Draws the next token.</summary>
    /// <param name="logits">The model's scores; overwritten. [N]</param>
    /// <param name="contextIsFull">Whether the model can read no further token, so that this one is the last.</param>
    /// <returns>The token, with a finish reason when it is the last.</returns>
    public GeneratedToken Next(Span<float> logits, bool contextIsFull)
    {
        int tokenId = _sampler.Sample(new LogitsContext(_promptTokenIds, TokenIds), logits, out float logProbability);
        Append(tokenId);

        bool endsText = Array.IndexOf(_stopTokenIds, tokenId) >= 0;
        string text = endsText ? "" : TextOf(tokenId);
        FinishReason? reason = endsText ? FinishReason.EndOfText
            : TokenCount == _maxTokens ? FinishReason.MaxTokens
            : contextIsFull ? FinishReason.ContextLimit
            : null;

        if (reason is not null && !_stop.IsReached)
        {
            text += Flush();
        }

        return new GeneratedToken
        {
            Id = tokenId,
            Text = text,
            LogProbability = _includeLogProbabilities ? logProbability : null,
            FinishReason = _stop.IsReached ? FinishReason.StopSequence : reason,
        };
    }

    // A special token is no text: no stop sequence lies in it or across it, and what was held back comes before it, be it half
    // a character.
    private string TextOf(int tokenId)
    {
        if (tokenId >= _tokenizer.VocabularySize)
        {
            // A head may have more rows than the tokenizer has tokens; those stand for no text.
            return "";
        }

        if (!_tokenizer.IsSpecialToken(tokenId))
        {
            return _stop.Accept(_detokenizer.Append(tokenId));
        }

        string held = Flush();
        return _stop.IsReached ? held : held + _detokenizer.Append(tokenId);
    }

    // What the detokenizer held back may itself complete a stop sequence.
    private string Flush()
    {
        string text = _stop.Accept(_detokenizer.Flush());
        return _stop.IsReached ? text : text + _stop.Flush();
    }

    private void Append(int tokenId)
    {
        if (TokenCount == _tokenIds.Length)
        {
            Array.Resize(ref _tokenIds, _tokenIds.Length * 2);
        }

        _tokenIds[TokenCount++] = tokenId;
    }
}
