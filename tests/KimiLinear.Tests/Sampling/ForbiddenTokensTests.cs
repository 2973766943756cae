using KimiLinear.Sampling;
using Xunit;

namespace KimiLinear.Tests.Sampling;

public sealed class ForbiddenTokensTests
{
    private const int VocabularySize = 500;

    // Everything that shapes the draw, and nothing of it.
    public static TheoryData<float, int, float, float> Shapes => new()
    {
        { 1, 0, 1, 0 },
        { 0.8f, 0, 1, 0 },
        { 1, 200, 1, 0 },
        { 1.3f, 0, 0.9f, 0 },
        { 1, 300, 0.95f, 0.001f },
        { 0, 0, 1, 0 },
    };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Sample_ForbiddenTokensThatWouldNotBeDrawn_ChangeNoDraw(float temperature, int topK, float topP, float minP)
    {
        SamplingOptions options = new() { Temperature = temperature, TopK = topK, TopP = topP, MinP = minP, Seed = 11 };
        float[][] logits = [.. Enumerable.Range(0, 200).Select(i => RandomLogits(seed: (ulong)i))];
        Sampler free = new(options, VocabularySize);
        int[] expected = [.. logits.Select(row => Sample(free, row))];
        int[] undrawn = [.. Enumerable.Range(0, VocabularySize).Except(expected)];

        Sampler sampler = new(options, VocabularySize, forbiddenTokenIds: undrawn);

        // Hundreds are forbidden: had they been taken out before the draw, most draws would be others.
        Assert.True(undrawn.Length > 250);
        Assert.Equal(expected, logits.Select(row => Sample(sampler, row)));
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Sample_ForbiddenTokens_AreNeverDrawn(float temperature, int topK, float topP, float minP)
    {
        SamplingOptions options = new() { Temperature = temperature, TopK = topK, TopP = topP, MinP = minP, Seed = 11 };
        int[] forbidden = [.. Enumerable.Range(0, VocabularySize).Where(id => id % 3 != 0), VocabularySize + 7];
        Sampler sampler = new(options, VocabularySize, forbiddenTokenIds: forbidden);

        for (int i = 0; i < 200; i++)
        {
            Assert.Equal(0, Sample(sampler, RandomLogits(seed: (ulong)i)) % 3);
        }
    }

    [Fact]
    public void Sample_OftenMetForbiddenToken_OthersFollowTheirSoftmax()
    {
        const int Draws = 40_000;
        float[] logits = [0.3f, 1.5f, 2, 0.7f, -1];
        Sampler sampler = new(new SamplingOptions { Seed = 7 }, logits.Length, forbiddenTokenIds: [2]);
        int[] counts = new int[logits.Length];

        for (int i = 0; i < Draws; i++)
        {
            counts[Sample(sampler, logits)]++;
        }

        double[] weights = [.. logits.Select((logit, id) => id == 2 ? 0 : Math.Exp(logit))];
        double[] expected = [.. weights.Select(weight => Draws * weight / weights.Sum())];
        double chiSquare = Enumerable.Range(0, logits.Length).Where(i => expected[i] > 0)
            .Sum(i => Math.Pow(counts[i] - expected[i], 2) / expected[i]);
        Assert.Equal(0, counts[2]);
        Assert.True(chiSquare < 16.3, $"χ² = {chiSquare:F1} with 3 degrees of freedom; 16.3 is passed once in a thousand.");
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Sample_NothingButForbiddenTokensLeftInTheDraw_TakesTheBestOther(float temperature, int topK, float topP, float minP)
    {
        SamplingOptions options = new() { Temperature = temperature, TopK = topK, TopP = topP, MinP = minP };
        float[] logits = [1, 900, 3, 900, 2];
        Sampler sampler = new(options, logits.Length, forbiddenTokenIds: [1, 3]);

        Assert.All(Enumerable.Range(0, 20), _ => Assert.Equal(2, Sample(sampler, logits)));
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Sample_NothingButForbiddenTokensAllowed_Throws(float temperature, int topK, float topP, float minP)
    {
        SamplingOptions options = new()
        {
            Temperature = temperature,
            TopK = topK,
            TopP = topP,
            MinP = minP,
            LogitBias = new Dictionary<int, float> { [0] = float.NegativeInfinity },
        };
        Sampler sampler = new(options, 2, forbiddenTokenIds: [1]);

        InvalidOperationException thrown = Assert.Throws<InvalidOperationException>(() => Sample(sampler, [5, 4]));

        Assert.Contains("beside those that are forbidden by their ids", thrown.Message, StringComparison.Ordinal);
    }

    private static int Sample(Sampler sampler, float[] logits) => sampler.Sample(default, (float[])logits.Clone(), out _);

    private static float[] RandomLogits(ulong seed)
    {
        Xoshiro256 random = new(seed);
        return [.. Enumerable.Range(0, VocabularySize).Select(_ => (float)(random.NextDouble() * 6))];
    }
}
