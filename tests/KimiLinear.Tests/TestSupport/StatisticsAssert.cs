using KimiLinear.Pruning;
using Xunit;

namespace KimiLinear.Tests.TestSupport;

/// <summary>Compares what was seen of experts.</summary>
internal static class StatisticsAssert
{
    public static void Identical(ExpertStatistics expected, ExpertStatistics actual) => Close(expected, actual, 0);

    /// <summary>Equal counts, and sums that differ by a part of themselves at most.</summary>
    public static void Close(ExpertStatistics expected, ExpertStatistics actual, double tolerance)
    {
        Assert.Equal(expected.Layers.Select(layer => layer.LayerIndex), actual.Layers.Select(layer => layer.LayerIndex));
        Assert.Equal(expected.OutputDim, actual.OutputDim);
        Assert.True(expected.Layers.Sum(layer => layer.TokenCounts.Sum()) > 0);
        foreach ((LayerStatistics one, LayerStatistics other) in expected.Layers.Zip(actual.Layers))
        {
            Assert.Equal(one.TokenCounts, other.TokenCounts);
            Close(one.Saliencies, other.Saliencies, tolerance, $"saliency of layer {one.LayerIndex}");
            foreach ((KeyValuePair<string, double[]> sums, KeyValuePair<string, double[]> others) in one.NamedSums.Zip(other.NamedSums))
            {
                Close(sums.Value, others.Value, tolerance, $"{sums.Key} of layer {one.LayerIndex}");
            }

            if (expected.HasOutputSums)
            {
                CloseOutputSums(one, other, tolerance);
            }
        }
    }

    // Outputs of opposite signs cancel, so a sum of vectors is only as exact as the sum of their norms allows.
    private static void CloseOutputSums(LayerStatistics expected, LayerStatistics actual, double tolerance)
    {
        for (int expert = 0; expert < expected.ExpertCount; expert++)
        {
            ReadOnlySpan<double> sum = expected.GetOutputSum(expert);
            ReadOnlySpan<double> other = actual.GetOutputSum(expert);
            double squares = 0;
            for (int d = 0; d < sum.Length; d++)
            {
                squares += (sum[d] - other[d]) * (sum[d] - other[d]);
            }

            Assert.True(
                Math.Sqrt(squares) <= tolerance * expected.NormSums[expert],
                $"output sum of layer {expected.LayerIndex}, expert {expert}: {Math.Sqrt(squares):E2} apart, with norms that sum to "
                + $"{expected.NormSums[expert]:E2}");
        }
    }

    public static void Close(IReadOnlyList<double> expected, IReadOnlyList<double> actual, double tolerance, string name)
    {
        Assert.Equal(expected.Count, actual.Count);
        for (int i = 0; i < expected.Count; i++)
        {
            double error = Math.Abs(actual[i] - expected[i]);
            Assert.True(
                error <= tolerance * Math.Abs(expected[i]),
                $"{name}, expert {i}: {actual[i]:R} instead of {expected[i]:R}");
        }
    }
}
