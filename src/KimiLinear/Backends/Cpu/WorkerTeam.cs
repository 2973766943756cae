using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;

namespace KimiLinear.Backends;

/// <summary>Threads that do one stage of work together and meet again at its end.</summary>
/// <remarks>
/// Waiting threads spin for a bounded time, since the next stage usually follows within microseconds, and then park: an idle
/// model costs nothing, and a busy machine is not ruined by a spinning barrier. Running a job allocates nothing. One thread at
/// a time may call <see cref="Run"/>; it takes part as worker 0.
/// </remarks>
internal sealed unsafe class WorkerTeam : IDisposable
{
    // Longer than the gap between two stages, much shorter than a scheduler's time slice.
    private static readonly long SpinTicks = Environment.ProcessorCount > 1 ? Stopwatch.Frequency / 20_000 : 0;

    private readonly object _gate = new();
    private readonly Thread[] _threads;
    private delegate*<void*, int, int, void> _execute;
    private void* _job;
    private Exception? _failure;
    private int _generation;
    private int _claimed;
    private int _pending;
    private int _parkedWorkers;
    private int _parkedCaller;
    private bool _stopping;

    public WorkerTeam(int count)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        Count = count;
        _threads = new Thread[count - 1];
        for (int i = 0; i < _threads.Length; i++)
        {
            int worker = i + 1;
            _threads[i] = new Thread(() => Work(worker)) { IsBackground = true, Name = $"KimiLinear worker {worker}" };
            _threads[i].Start();
        }
    }

    /// <summary>Number of workers, the caller included.</summary>
    public int Count { get; }

    /// <summary>Whether all workers still wait for the next job without having parked.</summary>
    public bool IsAwake => Volatile.Read(ref _parkedWorkers) == 0;

    /// <summary>Runs a job on all workers and returns when the last has finished.</summary>
    public void Run<TJob>(ref TJob job)
        where TJob : struct, IParallelJob
    {
        if (Count == 1)
        {
            RunAlone(ref job);
            return;
        }

        // The job lives in the caller's frame, which stays until all workers are done.
        _job = Unsafe.AsPointer(ref job);
        _execute = &Execute<TJob>;
        _failure = null;
        _claimed = 0;
        _pending = Count - 1;
        Interlocked.Increment(ref _generation);
        bool interrupted = Volatile.Read(ref _parkedWorkers) > 0 && WakeWorkers();
        try
        {
            job.Execute(0, Count);
        }
        catch (Exception exception)
        {
            Interlocked.CompareExchange(ref _failure, exception, null);
        }

        interrupted |= AwaitWorkers();
        if (interrupted)
        {
            Thread.CurrentThread.Interrupt();
        }

        if (_failure is not null)
        {
            ExceptionDispatchInfo.Throw(_failure);
        }
    }

    /// <summary>Runs a job on the calling thread, for work too small to share.</summary>
    public void RunAlone<TJob>(ref TJob job)
        where TJob : struct, IParallelJob
    {
        _claimed = 0;
        job.Execute(0, 1);
    }

    /// <summary>
    /// The next unit of the running job that no worker has taken, counting from 0. Workers that are faster take more, so that all
    /// end together on machines where cores or memory are shared unevenly. Every worker goes on until it is given a unit past
    /// the last.
    /// </summary>
    public int Claim() => Interlocked.Increment(ref _claimed) - 1;

    public void Dispose()
    {
        lock (_gate)
        {
            if (_stopping)
            {
                return;
            }

            _stopping = true;
            Interlocked.Increment(ref _generation);
            Monitor.PulseAll(_gate);
        }

        foreach (Thread thread in _threads)
        {
            thread.Join();
        }
    }

    private static void Execute<TJob>(void* job, int worker, int workerCount)
        where TJob : struct, IParallelJob => Unsafe.AsRef<TJob>(job).Execute(worker, workerCount);

    private void Work(int worker)
    {
        int seen = 0;
        while (true)
        {
            seen = AwaitJob(seen);
            if (Volatile.Read(ref _stopping))
            {
                return;
            }

            try
            {
                _execute(_job, worker, Count);
            }
            catch (Exception exception)
            {
                // Handed to the caller of Run; a worker must survive it.
                Interlocked.CompareExchange(ref _failure, exception, null);
            }

            if (Interlocked.Decrement(ref _pending) == 0 && Volatile.Read(ref _parkedCaller) != 0)
            {
                lock (_gate)
                {
                    Monitor.PulseAll(_gate);
                }
            }
        }
    }

    private int AwaitJob(int seen)
    {
        long deadline = Stopwatch.GetTimestamp() + SpinTicks;
        do
        {
            int generation = Volatile.Read(ref _generation);
            if (generation != seen)
            {
                return generation;
            }

            Thread.SpinWait(8);
        }
        while (Stopwatch.GetTimestamp() < deadline);

        lock (_gate)
        {
            // A full fence: the caller must see this count, or this thread the caller's new generation.
            Interlocked.Increment(ref _parkedWorkers);
            while (Volatile.Read(ref _generation) == seen)
            {
                Monitor.Wait(_gate);
            }

            Interlocked.Decrement(ref _parkedWorkers);
            return Volatile.Read(ref _generation);
        }
    }

    // The job lies in the caller's frame: until all workers are done, the caller may not leave, not even interrupted. Whether it
    // was is returned.
    private bool WakeWorkers()
    {
        bool interrupted = EnterGate();
        Monitor.PulseAll(_gate);
        Monitor.Exit(_gate);
        return interrupted;
    }

    private bool AwaitWorkers()
    {
        long deadline = Stopwatch.GetTimestamp() + SpinTicks;
        do
        {
            if (Volatile.Read(ref _pending) == 0)
            {
                return false;
            }

            Thread.SpinWait(8);
        }
        while (Stopwatch.GetTimestamp() < deadline);

        bool interrupted = EnterGate();
        try
        {
            Interlocked.Exchange(ref _parkedCaller, 1);
            while (Volatile.Read(ref _pending) != 0)
            {
                try
                {
                    Monitor.Wait(_gate);
                }
                catch (ThreadInterruptedException)
                {
                    interrupted = true;
                }
            }

            Interlocked.Exchange(ref _parkedCaller, 0);
            return interrupted;
        }
        finally
        {
            Monitor.Exit(_gate);
        }
    }

    private bool EnterGate()
    {
        bool interrupted = false;
        while (true)
        {
            try
            {
                Monitor.Enter(_gate);
                return interrupted;
            }
            catch (ThreadInterruptedException)
            {
                interrupted = true;
            }
        }
    }
}
