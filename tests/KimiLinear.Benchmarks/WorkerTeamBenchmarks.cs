using BenchmarkDotNet.Attributes;
using KimiLinear.Backends;

namespace KimiLinear.Benchmarks;

/// <summary>What it costs threads to begin a stage of work together and to meet at its end.</summary>
[MemoryDiagnoser]
public class WorkerTeamBenchmarks
{
    private WorkerTeam _team = null!;

    /// <summary>Gets or sets the number of threads.</summary>
    [ParamsSource(nameof(ThreadCounts))]
    public int Threads { get; set; }

    /// <summary>Gets one thread, two, and as many as there are processors.</summary>
    public static IEnumerable<int> ThreadCounts => new[] { 1, 2, Environment.ProcessorCount }.Distinct();

    /// <summary>Starts the threads.</summary>
    [GlobalSetup]
    public void Prepare() => _team = new WorkerTeam(Threads);

    /// <summary>Ends the threads.</summary>
    [GlobalCleanup]
    public void CleanUp() => _team.Dispose();

    /// <summary>A stage in which there is nothing to do.</summary>
    [Benchmark]
    public void ForkJoin()
    {
        EmptyJob job = default;
        _team.Run(ref job);
    }

    private struct EmptyJob : IParallelJob
    {
        public readonly void Execute(int worker, int workerCount)
        {
        }
    }
}
