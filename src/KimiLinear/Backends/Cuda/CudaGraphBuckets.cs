using System.Numerics;

namespace KimiLinear.Backends;

/// <summary>One recorded step per size of batch; sizes are rounded up to powers of two, so that a few graphs serve all.</summary>
/// <remarks>
/// A step with fewer tokens than its bucket runs with rows that nobody reads; whoever records it makes them harmless.
/// </remarks>
internal sealed class CudaGraphBuckets(CudaDevice device, CudaStream stream, int maxBatchSize) : IDisposable
{
    private readonly CudaGraph?[] _graphs = new CudaGraph?[BucketIndex(maxBatchSize) + 1];

    /// <summary>Graphs recorded so far.</summary>
    public int RecordedCount => _graphs.Count(graph => graph is not null);

    /// <summary>The number of tokens that a step of this many is recorded with.</summary>
    public int BucketSize(int batchSize)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(batchSize);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(batchSize, maxBatchSize);
        return Math.Min(1 << BucketIndex(batchSize), maxBatchSize);
    }

    /// <summary>Queues a step, recording it first when its bucket has none yet.</summary>
    /// <param name="batchSize">Tokens of the step, from 1 to the largest batch.</param>
    /// <param name="record">Queues the kernels for as many tokens as it is told.</param>
    public void Launch(int batchSize, Action<int> record)
    {
        int size = BucketSize(batchSize);
        ref CudaGraph? graph = ref _graphs[BucketIndex(size)];
        graph ??= Record(size, record);
        graph.Launch(stream);
    }

    /// <summary>Forgets what was recorded, because addresses have changed.</summary>
    public void Clear()
    {
        for (int i = 0; i < _graphs.Length; i++)
        {
            _graphs[i]?.Dispose();
            _graphs[i] = null;
        }
    }

    public void Dispose() => Clear();

    // On its own, so that only a step that records makes a closure.
    private CudaGraph Record(int size, Action<int> record) => new(device, stream, () => record(size));

    private static int BucketIndex(int batchSize) => BitOperations.Log2(BitOperations.RoundUpToPowerOf2((uint)batchSize));
}
