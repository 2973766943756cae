using KimiLinear.Backends;
using Xunit;

namespace KimiLinear.Tests.Backends;

public sealed class WorkUnitsTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(36)]
    [InlineData(37)]
    [InlineData(10_240)]
    [InlineData(1_000_003)]
    public void Units_AnyTeamAndSmallest_CoverTheRangeOnceFromLargeToSmall(int count)
    {
        foreach (int workers in (int[])[1, 2, 3, 8, 64])
        {
            foreach (int smallest in (int[])[1, 4, 100])
            {
                WorkUnits units = new(count, smallest, workers);
                int next = 0;
                int largest = int.MaxValue;
                for (int unit = 0; next < count; unit++)
                {
                    (int start, int end) = units[unit];
                    Assert.Equal(next, start);
                    Assert.InRange(end - start, 1, largest);
                    Assert.True(end - start >= smallest || end == count);
                    largest = end - start;
                    next = end;
                }

                (int afterStart, int afterEnd) = units[1_000_000 + count];
                Assert.Equal((count, count), (afterStart, afterEnd));
            }
        }
    }

    [Fact]
    public void Units_TwoWorkers_BeginWithAQuarterEachAndEndWithTheSmallest()
    {
        WorkUnits units = new(64, 2, 2);

        int[] sizes = [.. Enumerable.Range(0, 12).Select(unit => units[unit].End - units[unit].Start)];

        Assert.Equal([16, 16, 8, 8, 4, 4, 2, 2, 2, 2, 0, 0], sizes);
    }

    [Fact]
    public void Units_OneWorker_GetsAllAtOnce() => Assert.Equal((0, 1_000), new WorkUnits(1_000, 4, 1)[0]);
}
