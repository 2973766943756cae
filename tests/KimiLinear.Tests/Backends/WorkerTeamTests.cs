using KimiLinear.Backends;
using Xunit;

namespace KimiLinear.Tests.Backends;

/// <summary>Every worker runs every job exactly once, whatever happens in it.</summary>
public sealed unsafe class WorkerTeamTests
{
    public static TheoryData<int> Counts => [1, 2, 3, 4, 7, 16];

    [Theory]
    [MemberData(nameof(Counts))]
    public void Run_ThousandsOfTinyJobs_EachWorkerRunsEachOnce(int count)
    {
        using WorkerTeam team = new(count);
        int* ran = stackalloc int[count];
        new Span<int>(ran, count).Clear();
        CountingJob job = new() { Ran = ran, FailingWorker = -1 };

        for (int i = 1; i <= 20_000 / count; i++)
        {
            team.Run(ref job);
            for (int worker = 0; worker < count; worker++)
            {
                Assert.Equal(i, ran[worker]);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Counts))]
    public void Run_AnyWorkerThrows_CallerGetsItAndTheTeamGoesOn(int count)
    {
        using WorkerTeam team = new(count);
        int* ran = stackalloc int[count];
        new Span<int>(ran, count).Clear();
        for (int worker = 0; worker < count; worker++)
        {
            CountingJob failing = new() { Ran = ran, FailingWorker = worker };
            CountingJob sound = new() { Ran = ran, FailingWorker = -1 };

            Exception exception = Assert.Throws<TimeoutException>(() => team.Run(ref failing));
            team.Run(ref sound);

            Assert.Equal($"worker {worker}", exception.Message);
        }

        Assert.All(new Span<int>(ran, count).ToArray(), runs => Assert.Equal(2 * count, runs));
    }

    [Fact]
    public void Run_EveryWorkerThrows_CallerGetsOne()
    {
        using WorkerTeam team = new(4);
        AlwaysFailingJob job = default;

        Assert.Throws<TimeoutException>(() => team.Run(ref job));
    }

    [Fact]
    public void Run_WorkersParked_WakesThem()
    {
        using WorkerTeam team = new(4);
        int* ran = stackalloc int[4];
        new Span<int>(ran, 4).Clear();
        CountingJob job = new() { Ran = ran, FailingWorker = -1 };

        for (int i = 0; i < 50; i++)
        {
            Thread.Sleep(2);
            team.Run(ref job);
        }

        Assert.Equal([50, 50, 50, 50], new Span<int>(ran, 4).ToArray());
    }

    [Fact]
    public void Run_CallerInterruptedAgainAndAgain_NeverLeavesItsWorkersBehind()
    {
        using WorkerTeam team = new(8);
        using ManualResetEventSlim started = new();
        bool stop = false;
        bool left = false;
        Thread caller = new(() =>
        {
            int* ran = stackalloc int[8];
            new Span<int>(ran, 8).Clear();
            CountingJob job = new() { Ran = ran, FailingWorker = -1, SpinIterations = 200 };
            started.Set();
            for (int i = 1; !Volatile.Read(ref stop); i++)
            {
                try
                {
                    team.Run(ref job);
                }
                catch (ThreadInterruptedException)
                {
                    Volatile.Write(ref left, true);
                    return;
                }

                for (int worker = 0; worker < 8; worker++)
                {
                    if (Volatile.Read(ref ran[worker]) != i)
                    {
                        Volatile.Write(ref left, true);
                        return;
                    }
                }
            }
        });
        caller.Start();
        started.Wait(TestContext.Current.CancellationToken);

        for (int i = 0; i < 2_000 && caller.IsAlive; i++)
        {
            caller.Interrupt();
            Thread.SpinWait(500);
        }

        Volatile.Write(ref stop, true);
        caller.Join();
        Assert.False(left);
    }

    [Theory]
    [MemberData(nameof(Counts))]
    public void Dispose_UnusedOrTwice_Returns(int count)
    {
        WorkerTeam team = new(count);

        team.Dispose();
        team.Dispose();

        Assert.Equal(count, team.Count);
    }

    private struct CountingJob : IParallelJob
    {
        public int* Ran;
        public int FailingWorker;
        public int SpinIterations;

        public readonly void Execute(int worker, int workerCount)
        {
            Thread.SpinWait(SpinIterations);
            Ran[worker]++;
            if (worker == FailingWorker)
            {
                throw new TimeoutException($"worker {worker}");
            }
        }
    }

    private struct AlwaysFailingJob : IParallelJob
    {
        public readonly void Execute(int worker, int workerCount) => throw new TimeoutException();
    }
}
