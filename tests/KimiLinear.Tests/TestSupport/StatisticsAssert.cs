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
        Assert.True(expected.Layers.Sum(layer => layer.TokenCounts.Sum()) > 0);
        foreach ((LayerStatistics one, LayerStatistics other) in expected.Layers.Zip(actual.Layers))
        {
            Assert.Equal(one.TokenCounts, other.TokenCounts);
            Close(one.Saliencies, other.Saliencies, tolerance, $"saliency of layer {one.LayerIndex}");
            foreach ((KeyValuePair<string, double[]> sums, KeyValuePair<string, double[]> others) in one.NamedSums.Zip(other.NamedSums))
            {
                Close(sums.Value, others.Value, tolerance, $"{sums.Key} of layer {one.LayerIndex}");
            }
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
