using KimiLinear.Scheduling;
using KimiLinear.Tests.Generation;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Tests.Scheduling;

/// <summary>An application that keeps every thread of the pool busy costs help, and nothing else.</summary>
/// <remarks>They occupy the pool of the process, so these tests run alone.</remarks>
[Collection(ProcessWide.Name)]
public sealed class BusyThreadPoolTests(TinyModel tiny) : IClassFixture<TinyModel>
{
    // The pool adds a thread or two a second where all are busy: it comes to what was queued behind these much later than this.
    private const int Blockers = 2_000;
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    [Fact]
    public void Run_PoolStartsNoHelper_TheCallerRunsAllRounds()
    {
        int[] ended = new int[100];
        using (BusyPool pool = new())
        {
            Thread caller = new(() => SharedLoop.Run(ended.Length, threadCount: 4, i => Interlocked.Increment(ref ended[i])))
            {
                IsBackground = true,
            };
            caller.Start();

            Assert.True(caller.Join(Limit), "The loop waits for helpers.");
            Assert.Equal(0, pool.EndedCount);
            Assert.All(ended, times => Assert.Equal(1, times));
        }

        // The helpers begin now and find nothing left.
        using ManualResetEventSlim behind = new();
        ThreadPool.UnsafeQueueUserWorkItem(_ => behind.Set(), null);
        Assert.True(behind.Wait(Limit));
        Assert.All(ended, times => Assert.Equal(1, times));
    }

    [Fact]
    public async Task GenerateAsync_PoolIsBusy_RepliesAreComputedAllTheSame()
    {
        const int CallerCount = 64;
        using EngineHarness harness = new(tiny, new EngineOptions { MaxSequences = CallerCount });
        Task<int[]>[] replies;
        using (BusyPool pool = new())
        {
            replies = [.. Enumerable.Range(0, CallerCount).Select(i => harness.AskAsync(i))];
            bool areComputed = SpinWait.SpinUntil(
                () => ThreadsWait() && harness.Engine.GetStatistics().CompletedCount == CallerCount, Limit);
            Assert.True(areComputed, "The engine waits for the pool.");
            Assert.Equal(0, pool.EndedCount);
        }

        int[][] read = await Task.WhenAll(replies).WaitAsync(Limit, TestContext.Current.CancellationToken);
        Assert.Equal(await harness.AloneAsync(7), read[7]);

        static bool ThreadsWait()
        {
            Thread.Sleep(10);
            return true;
        }
    }

    private sealed class BusyPool : IDisposable
    {
        private readonly ManualResetEventSlim _free = new();
        private readonly CountdownEvent _left = new(Blockers);

        public BusyPool()
        {
            for (int i = 0; i < Blockers; i++)
            {
                ThreadPool.UnsafeQueueUserWorkItem(
                    _ =>
                    {
                        _free.Wait();
                        _left.Signal();
                    },
                    null);
            }
        }

        public int EndedCount => Blockers - _left.CurrentCount;

        public void Dispose()
        {
            _free.Set();
            _left.Wait();
            _free.Dispose();
            _left.Dispose();
        }
    }
}
