namespace Kimi.Evaluation.Benchmarks;

/// <summary>The benchmarks by the names that the command line gives them.</summary>
internal static class BenchmarkCatalog
{
    public static IReadOnlyList<Benchmark> All { get; } =
    [
        EvalPlusBenchmarks.HumanEval, EvalPlusBenchmarks.Mbpp, LiveCodeBenchmark.LiveCodeBench,
        MathBenchmarks.Gsm8k, MathBenchmarks.Math500, MathBenchmarks.Aime25,
        LongBenchmark.LongBench2, FramesBenchmark.Frames, ExactBenchmark.Exact,
    ];

    public static string[] Names => [.. All.Select(benchmark => benchmark.Name)];

    public static Benchmark? Find(string name) => All.SingleOrDefault(benchmark => benchmark.Name == name);
}
