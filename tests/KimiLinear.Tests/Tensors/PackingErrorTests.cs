using KimiLinear.Tensors;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Tests.Tensors;

/// <summary>How far packed weights are from their source, on the distributions that weights have.</summary>
public sealed class PackingErrorTests
{
    private const int Columns = 2304;

    public static TheoryData<string> Distributions { get; } = new(WeightSamples.Names);

    [Theory]
    [MemberData(nameof(Distributions))]
    public void Encode_Q4_IsCloserThanQ4K(string distribution)
    {
        float[] rows = WeightSamples.Draw(distribution, PackedLayout.TileRows * Columns);
        double expected = TensorAssert.RelativeRms(Q4KQuantizer.RoundTrip(rows), rows);

        double error = TensorAssert.RelativeRms(PackedTile.Encode(DataType.PackedQ4, rows).Values, rows);

        Assert.True(error < expected, $"{distribution}: the relative RMS error is {error:F5}, but that of Q4_K {expected:F5}.");
    }

    [Theory]
    [InlineData("Gaussian", 0.0698)]
    [InlineData("Student-t(5)", 0.0805)]
    [InlineData("Student-t(3)", 0.0897)]
    [InlineData("Laplace", 0.0822)]
    public void Encode_Q4_StaysUnderItsKnownError(string distribution, double limit)
    {
        float[] rows = WeightSamples.Draw(distribution, PackedLayout.TileRows * Columns);

        double error = TensorAssert.RelativeRms(PackedTile.Encode(DataType.PackedQ4, rows).Values, rows);

        Assert.InRange(error, limit / 2, limit);
    }

    // Gaussian weights: 0.0051 when the largest value sets the scale, 0.0048 with the best of all bfloat16 scales.
    [Theory]
    [InlineData("Gaussian", 0.0049)]
    [InlineData("Student-t(5)", 0.0063)]
    [InlineData("Student-t(3)", 0.0082)]
    [InlineData("Laplace", 0.0063)]
    public void Encode_Q8_StaysUnderItsKnownError(string distribution, double limit)
    {
        float[] rows = WeightSamples.Draw(distribution, PackedLayout.TileRows * Columns);

        double error = TensorAssert.RelativeRms(PackedTile.Encode(DataType.PackedQ8, rows).Values, rows);

        Assert.InRange(error, limit / 2, limit);
    }
}
