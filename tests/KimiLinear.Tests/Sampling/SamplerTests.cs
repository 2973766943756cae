using KimiLinear.Sampling;
using Xunit;

namespace KimiLinear.Tests.Sampling;

public sealed class SamplerTests
{
    private const int PublishedVocabularySize = 163_840;

    [Theory]
    [InlineData(0f, 0)]
    [InlineData(1f, 1)]
    public void Sample_TemperatureZeroOrTopKOne_TakesTheFirstHighest(float temperature, int topK)
    {
        var sampler = new Sampler(new SamplingOptions { Temperature = temperature, TopK = topK }, 6);

        int[] tokens = [.. Enumerable.Range(0, 20).Select(_ => Sample(sampler, [1, 7, 3, 7, -2, 7]))];

        Assert.All(tokens, token => Assert.Equal(1, token));
    }

    // With equal logits a draw is ⌊u · N⌋; the expected ids come from a separate implementation of the generator.
    [Fact]
    public void Sample_EqualLogitsAndSeed42_StaysTheSameForever()
    {
        var sampler = new Sampler(new SamplingOptions { Seed = 42 }, 1000);

        int[] tokens = [.. Enumerable.Range(0, 12).Select(_ => Sample(sampler, new float[1000]))];

        Assert.Equal([83, 378, 680, 924, 991, 769, 719, 850, 761, 583, 682, 290], tokens);
    }

    [Fact]
    public void Sample_FixedSeed_FollowsTheSoftmax()
    {
        const int Draws = 40_000;
        float[] logits = [0.3f, -1.2f, 2, 0.7f, float.NegativeInfinity, -4, 1.1f, 0];
        double[] weights = [.. logits.Select(logit => Math.Exp(logit / 0.8))];
        var sampler = new Sampler(new SamplingOptions { Seed = 7, Temperature = 0.8f }, logits.Length);
        int[] counts = new int[logits.Length];

        for (int i = 0; i < Draws; i++)
        {
            counts[Sample(sampler, logits)]++;
        }

        double[] expected = [.. weights.Select(weight => Draws * weight / weights.Sum())];
        double chiSquare = Enumerable.Range(0, logits.Length).Where(i => expected[i] > 0)
            .Sum(i => Math.Pow(counts[i] - expected[i], 2) / expected[i]);
        Assert.Equal(0, counts[4]);
        Assert.True(chiSquare < 22.5, $"χ² = {chiSquare:F1} with 6 degrees of freedom; 22.5 is passed once in a thousand.");
    }

    [Fact]
    public void Sample_SameSeed_GivesTheSameTokensAndAnotherSeedOthers()
    {
        float[] logits = RandomLogits(500, seed: 1);

        int[] first = Draw(100), second = Draw(100), other = Draw(101);

        Assert.Equal(first, second);
        Assert.NotEqual(first, other);

        int[] Draw(ulong seed)
        {
            var sampler = new Sampler(new SamplingOptions { Seed = seed, TopP = 0.95f, TopK = 200, MinP = 0.001f }, 500);
            return [.. Enumerable.Range(0, 50).Select(_ => Sample(sampler, logits))];
        }
    }

    [Fact]
    public void Sample_NoSeed_DrawsOneOfItsOwn()
    {
        int[] first = Draw(), second = Draw();

        Assert.NotEqual(first, second);

        static int[] Draw()
        {
            var sampler = new Sampler(new SamplingOptions(), 1000);
            return [.. Enumerable.Range(0, 20).Select(_ => Sample(sampler, new float[1000]))];
        }
    }

    [Fact]
    public void Sample_AllFilters_DrawsOnlyFromWhatTheyKeep()
    {
        var sampler = new Sampler(new SamplingOptions { TopK = 3, TopP = 0.9f, MinP = 0.3f, Seed = 3 }, 5);

        // Of the three highest (4 : 2 : 1) all are needed for 0.9, but the third has less than 0.3 of the first.
        float[] logits = [MathF.Log(1), MathF.Log(4), MathF.Log(0.9f), MathF.Log(2), MathF.Log(0.8f)];

        var drawn = Enumerable.Range(0, 200).Select(_ => Sample(sampler, logits)).ToHashSet();

        Assert.Equal([1, 3], drawn.Order());
    }

    [Fact]
    public void Sample_DemandedToken_IsAlwaysDrawn()
    {
        var options = new SamplingOptions
        {
            LogitBias = new Dictionary<int, float> { [2] = float.PositiveInfinity },
            Temperature = 1.5f,
            TopK = 3,
            TopP = 0.9f,
            MinP = 0.1f,
        };
        var sampler = new Sampler(options, 4);

        Assert.All(Enumerable.Range(0, 50), _ => Assert.Equal(2, Sample(sampler, [50, 1, -50, 1])));
    }

    [Fact]
    public void Sample_ForbiddenToken_IsNeverDrawn()
    {
        var bias = new Dictionary<int, float> { [0] = float.NegativeInfinity };
        var sampler = new Sampler(new SamplingOptions { LogitBias = bias, Seed = 5 }, 3);

        Assert.All(Enumerable.Range(0, 200), _ => Assert.NotEqual(0, Sample(sampler, [50, 1, 1])));
    }

    [Theory]
    [InlineData(float.NaN, "NaN")]
    [InlineData(float.PositiveInfinity, "Infinity")]
    public void Sample_ModelLogitIsNotANumber_ThrowsNamingTheToken(float logit, string named)
    {
        var sampler = new Sampler(new SamplingOptions(), 3);

        var thrown = Assert.Throws<InvalidOperationException>(() => Sample(sampler, [1, logit, 2]));

        Assert.Contains($"computed {named} as the logit of token 1", thrown.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Sample_EveryTokenForbidden_Throws()
    {
        var options = new SamplingOptions
        {
            Processors = [new Writer(float.NegativeInfinity)],
            Temperature = 0.5f,
            TopK = 2,
            TopP = 0.5f,
            MinP = 0.1f,
        };
        var sampler = new Sampler(options, 3);

        var thrown = Assert.Throws<InvalidOperationException>(() => Sample(sampler, [1, 2, 3]));

        Assert.StartsWith("Every token is forbidden", thrown.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Sample_UsersProcessorWritesNaN_ThrowsNamingTheProcessor()
    {
        var sampler = new Sampler(new SamplingOptions { Processors = [new Writer(float.NaN)] }, 3);

        var thrown = Assert.Throws<InvalidOperationException>(() => Sample(sampler, [1, 2, 3]));

        Assert.Contains(nameof(Writer), thrown.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Constructor_LogitBiasBeyondTheVocabulary_Throws()
    {
        var options = new SamplingOptions { LogitBias = new Dictionary<int, float> { [3] = 1 } };

        Assert.Throws<ArgumentOutOfRangeException>(() => new Sampler(options, 3));
    }

    [Fact]
    public void Sample_LogProbabilityAsked_IsThatOfTheModelBeforeAnyProcessor()
    {
        var bias = new Dictionary<int, float> { [0] = float.PositiveInfinity };
        var sampler = new Sampler(new SamplingOptions { LogitBias = bias, Temperature = 9 }, 3, computeLogProbabilities: true);

        int token = sampler.Sample(default, [MathF.Log(1), MathF.Log(4), MathF.Log(3)], out float logProbability);

        Assert.Equal(0, token);
        Assert.Equal(Math.Log(1.0 / 8), logProbability, 1e-6);
    }

    [Theory]
    [InlineData(float.NegativeInfinity)]
    [InlineData(1)]
    public void Sample_LogProbabilityOfATokenTheModelRulesOut_IsNegativeInfinity(float other)
    {
        var bias = new Dictionary<int, float> { [0] = float.PositiveInfinity };
        var sampler = new Sampler(new SamplingOptions { LogitBias = bias }, 2, computeLogProbabilities: true);

        int token = sampler.Sample(default, [float.NegativeInfinity, other], out float logProbability);

        Assert.Equal(0, token);
        Assert.Equal(float.NegativeInfinity, logProbability);
    }

    [Fact]
    public void Sample_LogProbabilityNotAsked_IsNaN()
    {
        new Sampler(new SamplingOptions(), 2).Sample(default, [1, 2], out float logProbability);

        Assert.Equal(float.NaN, logProbability);
    }

    [Fact]
    public void Sample_EveryOptionAtThePublishedVocabulary_AllocatesNothing()
    {
        var options = new SamplingOptions
        {
            Temperature = 0.7f,
            TopK = 1000,
            TopP = 0.9f,
            MinP = 0.001f,
            RepetitionPenalty = 1.1f,
            FrequencyPenalty = 0.2f,
            PresencePenalty = 0.1f,
            LogitBias = new Dictionary<int, float> { [5] = 1 },
            Processors = [new Writer(2)],
        };
        var sampler = new Sampler(options, PublishedVocabularySize, computeLogProbabilities: true);
        float[] model = RandomLogits(PublishedVocabularySize, seed: 2), logits = new float[model.Length];
        int[] prompt = [1, 2, 3], generated = new int[20];

        long before = 0;
        for (int i = 0; i < generated.Length; i++)
        {
            if (i == 5)
            {
                before = GC.GetAllocatedBytesForCurrentThread();
            }

            model.CopyTo(logits, 0);
            generated[i] = sampler.Sample(new LogitsContext(prompt, generated.AsSpan(0, i)), logits, out _);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    private static int Sample(Sampler sampler, float[] logits) =>
        sampler.Sample(default, (float[])logits.Clone(), out _);

    private static float[] RandomLogits(int count, ulong seed)
    {
        var random = new Xoshiro256(seed);
        return [.. Enumerable.Range(0, count).Select(_ => (float)(random.NextDouble() * 20) - 10)];
    }

    private sealed class Writer(float value) : ILogitsProcessor
    {
        public void Process(in LogitsContext context, Span<float> logits) => logits[..3].Fill(value);
    }
}
