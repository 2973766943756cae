using KimiLinear.Checkpoints;

namespace Kimi.Benchmarking;

/// <summary>Which model to measure.</summary>
internal abstract record BenchTarget
{
    /// <summary>A model in files.</summary>
    public sealed record Stored(string Path) : BenchTarget;

    /// <summary>Random weights of a named shape, perhaps with other counts of experts and layers.</summary>
    public sealed record Random(string Shape, int? ExpertCount, int? LayerCount, string FormatName, WeightFormat Format)
        : BenchTarget;
}
