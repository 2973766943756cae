namespace Kimi.Terminal;

/// <summary>How long something takes, for people.</summary>
internal static class DurationText
{
    public static string Of(TimeSpan time) => time.TotalHours >= 1
        ? $"{(int)time.TotalHours} h {time.Minutes} min"
        : time.TotalMinutes >= 1 ? $"{time.Minutes} min {time.Seconds} s" : $"{time.Seconds} s";
}
