using KimiLinear.Backends;
using Xunit;

namespace KimiLinear.Tests.Backends;

public sealed class WorkSplitTests
{
    [Fact]
    public void Units_AnyCountAndTeam_CoversAllOnceAndEvenly()
    {
        foreach (int count in (int[])[0, 1, 2, 7, 32, 513, int.MaxValue])
        {
            for (int workers = 1; workers <= 70; workers++)
            {
                int next = 0;
                for (int worker = 0; worker < workers; worker++)
                {
                    (int start, int end) = WorkSplit.Units(count, worker, workers);
                    Assert.Equal(next, start);
                    Assert.InRange((long)end - start, count / workers, ((long)count / workers) + 1);
                    next = end;
                }

                Assert.Equal(count, next);
            }
        }
    }
}
