namespace KimiLinear.Scheduling;

/// <summary>A loop whose rounds are shared with the thread pool.</summary>
/// <remarks>
/// The caller waits for rounds that others have begun, never for others to begin: a pool whose threads are all busy costs their
/// help and no time. <see cref="Parallel.For(int, int, Action{int})"/> waits for every helper that it asked for.
/// </remarks>
internal sealed class SharedLoop : IThreadPoolWorkItem
{
    private readonly int _count;
    private readonly Action<int> _body;
    private readonly TaskCompletionSource _done = new();
    private int _begun;
    private int _left;

    private SharedLoop(int count, Action<int> body)
    {
        _count = count;
        _body = body;
        _left = count;
    }

    /// <summary>Runs all rounds, in any order, and returns when the last has ended.</summary>
    /// <param name="count">The number of rounds, at least 1.</param>
    /// <param name="threadCount">The most threads at once, the caller's included.</param>
    /// <param name="body">One round; it must not throw.</param>
    public static void Run(int count, int threadCount, Action<int> body)
    {
        SharedLoop loop = new(count, body);
        for (int i = 1; i < Math.Min(count, threadCount); i++)
        {
            ThreadPool.UnsafeQueueUserWorkItem(loop, preferLocal: false);
        }

        loop.Execute();
        loop._done.Task.Wait();
    }

    /// <summary>Takes rounds until none is left.</summary>
    public void Execute()
    {
        for (int i = Interlocked.Increment(ref _begun) - 1; i < _count; i = Interlocked.Increment(ref _begun) - 1)
        {
            _body(i);
            if (Interlocked.Decrement(ref _left) == 0)
            {
                _done.SetResult();
            }
        }
    }
}
