using KimiLinear.Scheduling;
using Xunit;

namespace KimiLinear.Tests.Scheduling;

public sealed class PlaceTimeTests
{
    [Fact]
    public void Next_RequestsEndAtRegularTimes_ApproachesTheTimeBetweenThem()
    {
        ManualTime time = new();
        PlaceTime places = new(time);
        TimeSpan last = default;

        for (int i = 0; i < 100; i++)
        {
            time.Pass(TimeSpan.FromSeconds(5));
            last = places.Next(submittedAt: 0);
        }

        Assert.InRange(last.TotalSeconds, 4.9, 5);
    }

    [Fact]
    public void Next_NothingWasThereForHours_TellsNobodyToComeBackInHours()
    {
        ManualTime time = new();
        PlaceTime places = new(time);

        time.Pass(TimeSpan.FromHours(12));
        long submittedAt = time.GetTimestamp();
        time.Pass(TimeSpan.FromSeconds(3));
        TimeSpan next = places.Next(submittedAt);

        Assert.InRange(next.TotalSeconds, 1, 3);
    }

    private sealed class ManualTime : TimeProvider
    {
        private TimeSpan _now = TimeSpan.FromDays(1);

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public void Pass(TimeSpan time) => _now += time;

        public override long GetTimestamp() => _now.Ticks;
    }
}
