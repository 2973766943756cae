using System.Collections.ObjectModel;
using KimiLinear.Configuration;

namespace KimiLinear.Sampling;

/// <summary>How the next token is drawn from the logits.</summary>
/// <remarks>
/// The order is fixed: logit bias, repetition penalty, frequency and presence penalty, <see cref="Processors"/>, the grammar
/// of the reply if it has one, temperature,
/// top-k, top-p, min-p, draw. Each step sees what the ones before it left. Wherever scores tie, the lower token id goes first.
/// A property that is set to a value outside its range throws <see cref="ArgumentOutOfRangeException"/>. Immutable.
/// </remarks>
public sealed record SamplingOptions
{
    /// <summary>Gets the softmax temperature, 0 or more; 0 always takes the highest score (greedy).</summary>
    /// <value>The default is 1.</value>
    public float Temperature
    {
        get;
        init => field = Require(value, float.IsFinite(value) && value >= 0, nameof(Temperature), "a finite number, at least 0");
    } = 1f;

    /// <summary>Gets how many of the highest scores stay in the draw; 0 keeps all, 1 is greedy.</summary>
    /// <value>The default is 0.</value>
    public int TopK
    {
        get;
        init => field = Require(value, value >= 0, nameof(TopK), "0 (off) or more");
    }

    /// <summary>Gets the probability mass that stays in the draw, the fewest tokens that reach it; above 0, at most 1.</summary>
    /// <value>The default is 1, which keeps all.</value>
    public float TopP
    {
        get;
        init => field = Require(value, value is > 0 and <= 1, nameof(TopP), "above 0 and at most 1");
    } = 1f;

    /// <summary>Gets the share of the highest probability a token must have to stay in the draw, from 0 to 1.</summary>
    /// <value>The default is 0, which keeps all.</value>
    public float MinP
    {
        get;
        init => field = Require(value, value is >= 0 and <= 1, nameof(MinP), "from 0 to 1");
    }

    /// <summary>
    /// Gets the factor that weakens every token of the prompt or of the reply, above 0: positive scores are divided by it and
    /// negative ones multiplied. Below 1 it favours them instead.
    /// </summary>
    /// <value>The default is 1, which changes nothing.</value>
    public float RepetitionPenalty
    {
        get;
        init => field = Require(
            value, float.IsFinite(value) && value > 0, nameof(RepetitionPenalty), "a finite number above 0");
    } = 1f;

    /// <summary>
    /// Gets what a token's score loses for each time it was generated, from -2 to 2. The prompt does not count.
    /// </summary>
    /// <value>The default is 0.</value>
    public float FrequencyPenalty
    {
        get;
        init => field = Require(value, value is >= -2 and <= 2, nameof(FrequencyPenalty), "from -2 to 2");
    }

    /// <summary>
    /// Gets what a token's score loses once it was generated at all, from -2 to 2. The prompt does not count.
    /// </summary>
    /// <value>The default is 0.</value>
    public float PresencePenalty
    {
        get;
        init => field = Require(value, value is >= -2 and <= 2, nameof(PresencePenalty), "from -2 to 2");
    }

    /// <summary>
    /// Gets what is added to the scores of single tokens, by id; negative infinity forbids a token, positive infinity demands it.
    /// </summary>
    /// <value>The default is <see langword="null"/>, which adds nothing. The dictionary is copied.</value>
    public IReadOnlyDictionary<int, float>? LogitBias
    {
        get;
        init => field = value is null ? null : CopyBias(value);
    }

    /// <summary>Gets the seed that makes a run reproducible; <see langword="null"/> draws one.</summary>
    /// <value>The default is <see langword="null"/>. The same logits, options and seed give the same tokens.</value>
    public ulong? Seed { get; init; }

    /// <summary>Gets your own processors, run in this order after the penalties and before the temperature.</summary>
    /// <value>The default is empty. The list is copied.</value>
    /// <exception cref="ArgumentNullException">The list, or an item of it, is <see langword="null"/>.</exception>
    public IReadOnlyList<ILogitsProcessor> Processors
    {
        get;
        init
        {
            ArgumentNullException.ThrowIfNull(value, nameof(Processors));
            ILogitsProcessor[] processors = [.. value];
            foreach (ILogitsProcessor processor in processors)
            {
                ArgumentNullException.ThrowIfNull(processor, nameof(Processors));
            }

            field = processors.AsReadOnly();
        }
    } = [];

    /// <summary>Takes over what a model recommends in its <c>generation_config.json</c>.</summary>
    /// <param name="recommended">
    /// The recommendation; what it does not name, and all of it when <see langword="null"/>, stays at this library's defaults.
    /// A model that asks not to sample (<c>do_sample</c> is false) is decoded greedily.
    /// </param>
    /// <returns>The options, without a seed.</returns>
    public static SamplingOptions FromGenerationConfig(GenerationConfig? recommended) => new()
    {
        Temperature = recommended?.DoSample == false ? 0 : recommended?.Temperature ?? 1,
        TopK = recommended?.TopK ?? 0,
        TopP = recommended?.TopP ?? 1,
        RepetitionPenalty = recommended?.RepetitionPenalty ?? 1,
    };

    /// <summary>Gets a value indicating whether the highest score is taken without drawing.</summary>
    internal bool IsGreedy => Temperature == 0 || TopK == 1;

    /// <summary>Checks what only a model's vocabulary can tell: that the logit bias names tokens it has.</summary>
    /// <param name="vocabularySize">The number of token ids (N).</param>
    /// <exception cref="ArgumentOutOfRangeException">The logit bias names a token the model does not have.</exception>
    internal void RequireTokenIdsBelow(int vocabularySize)
    {
        foreach (int tokenId in LogitBias?.Keys ?? [])
        {
            Require(tokenId, tokenId < vocabularySize, nameof(LogitBias), $"keyed by token ids from 0 to {vocabularySize - 1}");
        }
    }

    private static T Require<T>(T value, bool holds, string property, string rule) =>
        holds ? value : throw new ArgumentOutOfRangeException(property, value, $"{property} must be {rule}.");

    private static ReadOnlyDictionary<int, float> CopyBias(IReadOnlyDictionary<int, float> bias)
    {
        foreach ((int tokenId, float change) in bias)
        {
            Require(tokenId, tokenId >= 0, nameof(LogitBias), "keyed by token ids, 0 or more");
            Require(change, !float.IsNaN(change), nameof(LogitBias), $"a number, also for token {tokenId}");
        }

        return new Dictionary<int, float>(bias).AsReadOnly();
    }
}
