using KimiLinear.Sampling;
using Xunit;

namespace KimiLinear.Tests.Sampling;

public sealed class Xoshiro256Tests
{
    [Fact]
    public void NextUInt64_StateOneToFour_MatchesThePublishedGenerator()
    {
        var random = new Xoshiro256(1, 2, 3, 4);

        ulong[] numbers = [.. Enumerable.Range(0, 6).Select(_ => random.NextUInt64())];

        Assert.Equal([11520, 0, 1509978240, 1215971899390074240, 1216172134540287360, 607988272756665600], numbers);
    }

    [Fact]
    public void SplitMix64_KnownSeed_MatchesThePublishedGenerator()
    {
        ulong state = 1234567;

        ulong[] numbers = [.. Enumerable.Range(0, 3).Select(_ => Xoshiro256.SplitMix64(ref state))];

        Assert.Equal([6457827717110365317, 3203168211198807973, 9817491932198370423], numbers);
    }

    // The expected numbers come from a separate implementation of both generators.
    [Fact]
    public void NextUInt64_Seed42_StaysTheSameForever()
    {
        var random = new Xoshiro256(42);

        ulong[] numbers = [.. Enumerable.Range(0, 3).Select(_ => random.NextUInt64())];

        Assert.Equal([1546998764402558742, 6990951692964543102, 12544586762248559009], numbers);
    }

    [Fact]
    public void NextDouble_ManyDraws_StayInTheUnitIntervalAroundItsMiddle()
    {
        var random = new Xoshiro256(1);

        double[] numbers = [.. Enumerable.Range(0, 100_000).Select(_ => random.NextDouble())];

        Assert.All(numbers, number => Assert.True(number is >= 0 and < 1));
        Assert.InRange(numbers.Average(), 0.495, 0.505);
    }
}
