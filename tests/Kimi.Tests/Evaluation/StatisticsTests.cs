using Kimi.Evaluation.Statistics;
using Xunit;

namespace Kimi.Tests.Evaluation;

/// <summary>Intervals and tests against values computed with exact fractions and 40 digits, outside this library.</summary>
public sealed class StatisticsTests
{
    [Theory]
    [InlineData(142, 164, 0.805245028203, 0.909715392442)]
    [InlineData(135, 164, 0.757582966400, 0.873965405169)]
    [InlineData(9, 30, 0.166647482682, 0.478757874587)]
    [InlineData(1151, 1319, 0.853550523849, 0.889546839365)]
    [InlineData(185, 503, 0.326803207119, 0.410787320086)]
    [InlineData(459, 824, 0.522935480503, 0.590612831191)]
    [InlineData(0, 2, 0, 0.657619772493)]
    [InlineData(2, 2, 0.342380227507, 1)]
    [InlineData(0, 1, 0, 0.793450685623)]
    public void Wilson_KnownShares_GiveKnownIntervals(int successes, int trials, double low, double high)
    {
        Interval interval = Wilson.Of(successes, trials);

        Assert.Equal(low, interval.Low, 1e-12);
        Assert.Equal(high, interval.High, 1e-12);
    }

    [Theory]
    [InlineData(0, 0, 1)]
    [InlineData(5, 5, 1)]
    [InlineData(10, 2, 0.03857421875)]
    [InlineData(1, 7, 0.0703125)]
    [InlineData(0, 6, 0.03125)]
    [InlineData(3, 5, 0.7265625)]
    [InlineData(59, 40, 0.06990057369494637)]
    [InlineData(700, 600, 0.0060157938610449525)]
    public void McNemar_KnownSplits_GiveKnownPValues(int onlyFirst, int onlySecond, double expected)
    {
        Assert.Equal(expected, McNemar.PValue(onlyFirst, onlySecond), expected * 1e-10);
        Assert.Equal(expected, McNemar.PValue(onlySecond, onlyFirst), expected * 1e-10);
    }

    [Theory]
    [InlineData(5, 2, 1, 0.4)]
    [InlineData(5, 2, 2, 0.7)]
    [InlineData(5, 5, 3, 1)]
    [InlineData(5, 0, 5, 0)]
    [InlineData(10, 4, 7, 1)]
    [InlineData(10, 3, 2, 1 - (42.0 / 90))]
    public void PassAtK_KnownCounts_GiveKnownChances(int count, int correct, int k, double expected) =>
        Assert.Equal(expected, PassAtK.Of(count, correct, k), 1e-14);

    [Fact]
    public void SplitMix64_PublishedSeed_GivesThePublishedNumbers()
    {
        SplitMix64 random = new(1234567);

        ulong[] numbers = [random.Next(), random.Next(), random.Next(), random.Next(), random.Next()];

        Assert.Equal(
            [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431, 16408922859458223821], numbers);
    }

    [Fact]
    public void Bootstrap_Means_HaveTheQuantilesOfTheSameDrawsInFractions()
    {
        Assert.Equal(new Interval(0.2, 0.9), Rounded(Bootstrap.OfMean([0, 1, 0.5, 1, 0.25], 42)));
        Assert.Equal(new Interval(-1 / 3.0, 5 / 6.0), Bootstrap.OfMean([1, -1, 0, 0, 1, 1], 42));
    }

    [Fact]
    public void Bootstrap_Ratios_HaveTheQuantilesOfTheSameDrawsInFractions() =>
        Assert.Equal(new Interval(7 / 6.0, 17 / 7.0), Bootstrap.OfRatio([3, 10, 4, 8], [2, 5, 4, 3], 7));

    private static Interval Rounded(Interval interval) => new(Math.Round(interval.Low, 14), Math.Round(interval.High, 14));
}
