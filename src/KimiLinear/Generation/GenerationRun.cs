using System.Diagnostics;
using KimiLinear.Caching;
using KimiLinear.Model;
using KimiLinear.Tokenization;

namespace KimiLinear.Generation;

/// <summary>One request on the thread that calls it: reads the prompt, then computes a token per step.</summary>
/// <remarks>Owns its sequence. A step after the first allocates no managed memory beyond the token's text.</remarks>
internal sealed class GenerationRun : IDisposable
{
    private readonly KimiLinearModel _model;
    private readonly int[] _promptTokenIds;
    private readonly int _prefillChunkTokens;
    private readonly Reply _reply;
    private readonly SequenceState _sequence;
    private readonly float[] _logits;
    private TimeSpan _prefillDuration;
    private TimeSpan _decodeDuration;

    /// <summary>Initializes a new instance of the <see cref="GenerationRun"/> class; nothing is computed yet.</summary>
    /// <param name="model">The model, which stays the caller's.</param>
    /// <param name="tokenizer">The tokenizer that makes the text.</param>
    /// <param name="promptTokenIds">The prompt, which the model can read.</param>
    /// <param name="options">What was asked for, with the model's defaults filled in.</param>
    public GenerationRun(KimiLinearModel model, KimiTokenizer tokenizer, int[] promptTokenIds, GenerationOptions options)
    {
        _model = model;
        _promptTokenIds = promptTokenIds;
        _prefillChunkTokens = options.PrefillChunkTokens;
        _reply = new Reply(promptTokenIds, options, tokenizer, model.Config.VocabularySize);
        _logits = new float[model.Config.VocabularySize];
        _sequence = model.CreateSequence();
    }

    /// <summary>Gets the token of the last step.</summary>
    public GeneratedToken Current { get; private set; }

    /// <summary>Computes the next token, the first one after reading the prompt.</summary>
    /// <param name="cancellationToken">Checked before every piece of the prompt and every token.</param>
    /// <returns>Whether there was another token.</returns>
    /// <exception cref="OperationCanceledException">The request was cancelled.</exception>
    public bool MoveNext(CancellationToken cancellationToken)
    {
        if (Current.FinishReason is not null)
        {
            return false;
        }

        long start = Stopwatch.GetTimestamp();
        bool isFirst = _reply.TokenCount == 0;
        if (isFirst)
        {
            Prefill(cancellationToken);
        }
        else
        {
            cancellationToken.ThrowIfCancellationRequested();
            _model.ReadReply(_sequence, _reply.TokenIds[^1..], _logits);
        }

        bool contextIsFull = _sequence.Length >= _model.Config.MaxContextTokens;
        GeneratedToken token = _reply.Next(_logits, contextIsFull);

        TimeSpan elapsed = Stopwatch.GetElapsedTime(start);
        _prefillDuration += isFirst ? elapsed : TimeSpan.Zero;
        _decodeDuration += isFirst ? TimeSpan.Zero : elapsed;
        Current = token.FinishReason is null ? token : token with { Timings = Timings() };
        return true;
    }

    /// <summary>Gives the sequence's memory back.</summary>
    public void Dispose() => _sequence.Dispose();

    // Only the last piece asks for logits: the head is a sizeable part of a short pass.
    private void Prefill(CancellationToken cancellationToken)
    {
        while (_sequence.Length < _promptTokenIds.Length)
        {
            cancellationToken.ThrowIfCancellationRequested();
            ReadOnlySpan<int> rest = _promptTokenIds.AsSpan(_sequence.Length);
            bool isLast = rest.Length <= _prefillChunkTokens;
            _model.ReadPrompt(_sequence, isLast ? rest : rest[.._prefillChunkTokens], isLast ? _logits : []);
        }
    }

    private GenerationTimings Timings() => new()
    {
        PromptTokenCount = _promptTokenIds.Length,
        GeneratedTokenCount = _reply.TokenCount,
        TimeToFirstToken = _prefillDuration,
        DecodeDuration = _decodeDuration,
    };
}
