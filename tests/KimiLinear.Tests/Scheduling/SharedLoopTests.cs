using KimiLinear.Scheduling;
using Xunit;

namespace KimiLinear.Tests.Scheduling;

public sealed class SharedLoopTests
{
    [Theory]
    [InlineData(1, 1)]
    [InlineData(1, 8)]
    [InlineData(2, 2)]
    [InlineData(7, 3)]
    [InlineData(1_000, 4)]
    public void Run_AnyCount_EveryRoundHasEndedOnce(int count, int threadCount)
    {
        for (int repeat = 0; repeat < 200; repeat++)
        {
            int[] ended = new int[count];

            SharedLoop.Run(count, threadCount, i => Interlocked.Increment(ref ended[i]));

            Assert.All(ended, times => Assert.Equal(1, times));
        }
    }

    [Fact]
    public void Run_RoundsThatWaitForTheCallersThread_AllEnd()
    {
        int caller = Environment.CurrentManagedThreadId;
        using ManualResetEventSlim callerCame = new();
        int ended = 0;

        SharedLoop.Run(64, threadCount: 64, _ =>
        {
            if (Environment.CurrentManagedThreadId == caller)
            {
                callerCame.Set();
            }

            callerCame.Wait();
            Interlocked.Increment(ref ended);
        });

        Assert.Equal(64, ended);
    }
}
