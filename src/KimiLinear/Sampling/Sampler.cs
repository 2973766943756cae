using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace KimiLinear.Sampling;

/// <summary>Draws the tokens of one request from the model's logits.</summary>
/// <remarks>
/// One per request: it remembers which tokens were seen and where its random numbers stand. It allocates only when built.
/// </remarks>
internal sealed class Sampler
{
    /// <summary>What stands for a token where none can be drawn.</summary>
    public const int NoToken = -1;

    private readonly ILogitsProcessor[] _processors;
    private readonly bool _isGreedy;
    private readonly Xoshiro256 _random;
    private readonly int _vocabularySize;
    private readonly float[]? _modelLogits;
    private readonly bool _isConstrained;
    private readonly ForbiddenTokens? _forbidden;

    /// <summary>Initializes a new instance of the <see cref="Sampler"/> class.</summary>
    /// <param name="options">How tokens are drawn.</param>
    /// <param name="vocabularySize">The number of logits (N).</param>
    /// <param name="computeLogProbabilities">Whether <see cref="Sample"/> reports log-probabilities.</param>
    /// <param name="constraint">What the reply is held to; <see langword="null"/> for nothing.</param>
    /// <param name="forbiddenTokenIds">Tokens that are never drawn; <see langword="null"/> for none.</param>
    /// <exception cref="ArgumentOutOfRangeException">The logit bias names a token the model does not have.</exception>
    public Sampler(
        SamplingOptions options,
        int vocabularySize,
        bool computeLogProbabilities = false,
        ReplyConstraint? constraint = null,
        IReadOnlyList<int>? forbiddenTokenIds = null)
    {
        options.RequireTokenIdsBelow(vocabularySize);
        _forbidden = forbiddenTokenIds is { Count: > 0 } tokenIds ? new ForbiddenTokens(tokenIds) : null;
        _processors = LogitsProcessors.Build(options, vocabularySize, constraint, _forbidden);
        _isConstrained = constraint is not null;
        _isGreedy = options.IsGreedy;
        _random = new Xoshiro256(options.Seed ?? DrawSeed());
        _vocabularySize = vocabularySize;
        _modelLogits = computeLogProbabilities ? new float[vocabularySize] : null;
    }

    /// <summary>Draws the next token.</summary>
    /// <param name="context">The tokens so far; from call to call they only grow.</param>
    /// <param name="logits">The model's scores; their place is used for the work and holds nothing of use afterwards. [N]</param>
    /// <param name="logProbability">
    /// Receives the token's log-softmax over the model's scores as they came, or NaN when log-probabilities were not asked for.
    /// </param>
    /// <returns>The token's id.</returns>
    /// <exception cref="InvalidOperationException">The model's scores are not numbers, or every token is forbidden.</exception>
    public int Sample(in LogitsContext context, Span<float> logits, out float logProbability)
    {
        Debug.Assert(logits.Length == _vocabularySize, "logits must have shape [N]");
        RequireNumbers(logits);
        if (_modelLogits is not null)
        {
            logits.CopyTo(_modelLogits);
        }

        foreach (ILogitsProcessor processor in _processors)
        {
            processor.Process(context, logits);
        }

        float max = LogitsArithmetic.Max(logits);
        int tokenId = float.IsNegativeInfinity(max) ? NoToken : _isGreedy ? Best(logits, max) : Draw(logits, max);
        if (tokenId == NoToken)
        {
            ThrowAllForbidden(_isConstrained, _forbidden is not null);
        }

        // A token the model rules out has no chance, be there others or none.
        logProbability = _modelLogits is null ? float.NaN
            : float.IsNegativeInfinity(_modelLogits[tokenId]) ? float.NegativeInfinity
            : (float)(_modelLogits[tokenId] - LogitsArithmetic.LogSumExp(_modelLogits));
        return tokenId;
    }

    private int Best(Span<float> logits, float max)
    {
        int tokenId = LogitsArithmetic.IndexOf(logits, max);
        return _forbidden?.Contains(tokenId) == true ? _forbidden.BestOther(logits) : tokenId;
    }

    private int Draw(Span<float> logits, float max)
    {
        LogitsArithmetic.Exponentials(logits, max, logits);
        int tokenId = Pick(logits);
        if (_forbidden?.Contains(tokenId) != true)
        {
            return tokenId;
        }

        // Drawn again without the forbidden ones: the same chances as if they had been taken out before.
        _forbidden.Overwrite(logits, 0);
        tokenId = Pick(logits);
        return tokenId == NoToken ? _forbidden.BestBeforeNarrowing : tokenId;
    }

    // Draws by weight, or returns NoToken where all weights are zero.
    private int Pick(ReadOnlySpan<float> weights)
    {
        double total = WeightedChoice.Total(weights);
        return total == 0 ? NoToken : WeightedChoice.IndexAt(weights, _random.NextDouble() * total);
    }

    private static void RequireNumbers(ReadOnlySpan<float> logits)
    {
        int tokenId = LogitsArithmetic.IndexOfNaN(logits);
        if (tokenId < 0)
        {
            tokenId = LogitsArithmetic.IndexOf(logits, float.PositiveInfinity);
        }

        if (tokenId >= 0)
        {
            ThrowNotANumber(tokenId, logits[tokenId]);
        }
    }

    private static ulong DrawSeed()
    {
        ulong seed = 0;
        RandomNumberGenerator.Fill(MemoryMarshal.AsBytes(new Span<ulong>(ref seed)));
        return seed;
    }

    [DoesNotReturn]
    private static void ThrowNotANumber(int tokenId, float logit) =>
        throw new InvalidOperationException(string.Create(
            CultureInfo.InvariantCulture,
            $"The model computed {logit} as the logit of token {tokenId}, which must be a finite number. "
            + $"Its weights are damaged or its arithmetic overflowed; check the checkpoint's files."));

    [DoesNotReturn]
    private static void ThrowAllForbidden(bool isConstrained, bool hasForbiddenIds) =>
        throw new InvalidOperationException(
            "Every token is forbidden, so none can be drawn. Logit bias and logits processors must leave at least one"
            + (isConstrained ? " of those that the grammar of the reply allows next" : "")
            + (hasForbiddenIds ? ", beside those that are forbidden by their ids." : "."));
}
