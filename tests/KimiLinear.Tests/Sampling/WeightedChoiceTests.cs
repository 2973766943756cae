using KimiLinear.Sampling;
using Xunit;

namespace KimiLinear.Tests.Sampling;

public sealed class WeightedChoiceTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(256)]
    [InlineData(257)]
    [InlineData(1_000)]
    [InlineData(163_840)]
    public void IndexAt_AnyPlace_IsTheIndexOfTheRunningTotal(int count)
    {
        var random = new Random(count);
        float[] weights = [.. Enumerable.Range(0, count).Select(i => i % 3 == 1 ? 0 : random.NextSingle())];
        decimal[] ends = new decimal[count];
        decimal total = 0;
        for (int i = 0; i < count; i++)
        {
            ends[i] = total += (decimal)(double)weights[i];
        }

        Assert.Equal((double)total, WeightedChoice.Total(weights), 1e-9 * (double)total);
        for (int draw = 0; draw < 1_000; draw++)
        {
            double place = random.NextDouble() * WeightedChoice.Total(weights);
            int expected = Array.FindIndex(ends, end => (decimal)place < end);
            if (Math.Abs((double)ends[expected] - place) > 1e-9 * (double)total)
            {
                Assert.Equal(expected, WeightedChoice.IndexAt(weights, place));
            }
        }
    }

    [Theory]
    [InlineData(5)]
    [InlineData(300)]
    [InlineData(5_000)]
    public void IndexAt_BothEnds_HaveWeight(int count)
    {
        float[] weights = new float[count];
        weights[1] = 1e-30f;
        weights[count / 2] = 0.1f;
        weights[count - 3] = 1e-30f;

        Assert.Equal(1, WeightedChoice.IndexAt(weights, 0));
        double last = Math.BitDecrement(WeightedChoice.Total(weights));
        Assert.True(weights[WeightedChoice.IndexAt(weights, last)] > 0, "A weight of zero is never chosen.");
    }

    [Fact]
    public void IndexAt_SumsThatRoundOtherwiseOneByOne_StillEndsAtAWeight()
    {
        // One by one from the left, what follows 1 is lost in it; eight at a time it is not.
        float[] weights = new float[256];
        Array.Fill(weights, 1e-17f);
        weights[0] = 1;
        weights[255] = 0;

        double last = Math.BitDecrement(WeightedChoice.Total(weights));

        Assert.InRange(WeightedChoice.IndexAt(weights, last), 0, 254);
    }
}
