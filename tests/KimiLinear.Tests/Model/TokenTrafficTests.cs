using KimiLinear.Checkpoints;
using KimiLinear.Configuration;
using KimiLinear.Model;
using KimiLinear.Tests.Configuration;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Tests.Model;

public sealed class TokenTrafficTests
{
    // The parts as computed by hand from the published shapes, in millions: Kimi Delta 790.2, latent attention 203.8, dense 63.7,
    // shared experts 184.0, routers 15.3 (10.8 with 180 experts), eight experts 1,472.2, head 377.5.
    [Theory]
    [InlineData(256, 3106.8e6)]
    [InlineData(180, 3102.3e6)]
    public void Of_PublishedShape_ReadsTheWeightsCountedByHand(int expertCount, double handCount)
    {
        KimiLinearConfig config = PublishedConfig.Parse("num_experts", $"{expertCount}");

        var traffic = TokenTraffic.Of(config, WeightFormat.BFloat16, contextTokens: 0);

        // By hand, norms and biases were left out: 0.2 million.
        Assert.InRange(traffic.WeightCount, handCount - 0.1e6, handCount + 0.3e6);
        Assert.Equal(2 * traffic.WeightCount, traffic.WeightBytes);
    }

    // Summed up matrix by matrix outside this library, from 4.5 and 8.5 bits a weight and 4 bytes a row in four bits.
    [Theory]
    [InlineData(WeightFormat.Source, 6_213_949_696)]
    [InlineData(WeightFormat.BFloat16, 6_213_949_696)]
    [InlineData(WeightFormat.Q8, 3_376_295_056)]
    [InlineData(WeightFormat.Q4, 1_869_112_208)]
    [InlineData(WeightFormat.Q4Q8, 2_643_815_568)]
    public void Of_PublishedShape_CountsTheBytesOfTheFormat(WeightFormat format, long weightBytes)
    {
        var traffic = TokenTraffic.Of(PublishedConfig.Parse(), format, contextTokens: 0);

        Assert.Equal(weightBytes, traffic.WeightBytes);
    }

    [Fact]
    public void Of_PublishedShapeAndDepth_CountsWhatASequenceRemembers()
    {
        var traffic = TokenTraffic.Of(PublishedConfig.Parse(), WeightFormat.BFloat16, contextTokens: 4096);

        // Both ways: 20 layers of 32 heads of 128 × 128 values, and three tails of 3 inputs of 4,096 values; four bytes each.
        Assert.Equal(2L * 20 * 32 * 128 * 128 * 4, traffic.StateBytes);
        Assert.Equal(2L * 20 * 3 * 3 * 4096 * 4, traffic.ConvolutionBytes);

        // Read once: 7 layers of 576 values a token.
        Assert.Equal(4096L * 7 * 576 * 4, traffic.LatentBytes);
        Assert.Equal(
            traffic.WeightBytes + traffic.StateBytes + traffic.ConvolutionBytes + traffic.LatentBytes, traffic.TotalBytes);
    }

    [Fact]
    public void Of_TiedEmbedding_ReadsTheTableOnceAsTheHead()
    {
        KimiLinearConfig tied = PublishedConfig.Parse("tie_word_embeddings", "true");

        long tiedCount = TokenTraffic.Of(tied, WeightFormat.BFloat16, 0).WeightCount;
        long ownCount = TokenTraffic.Of(PublishedConfig.Parse(), WeightFormat.BFloat16, 0).WeightCount;

        // a head of its own leaves one row to be read of the table
        Assert.Equal(ownCount - 2304, tiedCount);
    }

    [Fact]
    public void Of_NegativeDepth_Throws() => Assert.Throws<ArgumentOutOfRangeException>(
        () => TokenTraffic.Of(PublishedConfig.Parse(), WeightFormat.BFloat16, contextTokens: -1));

    [Fact]
    public void TrafficAt_LoadedModel_CountsTheTypesItIsStoredIn()
    {
        ModelLoadOptions options = new() { ThreadCount = 1 };
        using KimiLinearModel half = KimiLinearModel.Load(Golden.Model("sharded-f16"), options);
        using KimiLinearModel single = KimiLinearModel.Load(Golden.Model("grouped"), options);

        TokenTraffic halfTraffic = half.TrafficAt(10);
        TokenTraffic singleTraffic = single.TrafficAt(10);

        Assert.Equal(TokenTraffic.Of(half.Config, WeightFormat.BFloat16, 10).WeightCount, halfTraffic.WeightCount);
        Assert.InRange((double)halfTraffic.WeightBytes / halfTraffic.WeightCount, 2, 2.1);
        Assert.Equal(4 * singleTraffic.WeightCount, singleTraffic.WeightBytes);
    }
}
