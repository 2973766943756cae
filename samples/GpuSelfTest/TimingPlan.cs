namespace GpuSelfTest;

/// <summary>What is timed.</summary>
internal sealed record TimingPlan
{
    /// <summary>The published shapes, at the lengths and batches that figures are published for.</summary>
    public static TimingPlan Full { get; } = new();

    public IReadOnlyList<string> Shapes { get; init; } = ["48b", "35b"];

    public IReadOnlyList<int> BatchSizes { get; init; } = [1, 8, 32, 128];

    /// <summary>Tokens that every decoding sequence has seen.</summary>
    public int ContextTokens { get; init; } = 4096;

    public int PromptTokens { get; init; } = 8192;

    /// <summary>Tokens that a single sequence has seen at the end.</summary>
    public int LongContextTokens { get; init; } = 1_000_000;

    public int WarmUpSteps { get; init; } = 8;

    public int TimedSteps { get; init; } = 64;

    public int PromptRuns { get; init; } = 3;
}
