using System.ComponentModel;
using Microsoft.Extensions.AI;

namespace ChatSample;

/// <summary>Three tools that the small model knows; larger ones need nothing but the descriptions.</summary>
internal static class DemoTools
{
    private static readonly string[] Conditions = ["sunny", "cloudy", "rainy", "windy", "foggy"];

    private static readonly Dictionary<string, Weather> KnownWeather = new(StringComparer.OrdinalIgnoreCase)
    {
        ["Paris"] = new(18, "sunny"),
        ["Oslo"] = new(3, "foggy"),
        ["Tokyo"] = new(24, "cloudy"),
        ["London"] = new(14, "rainy"),
    };

    private static readonly Dictionary<string, string> TimeZones = new(StringComparer.OrdinalIgnoreCase)
    {
        ["Berlin"] = "Europe/Berlin",
        ["Delhi"] = "Asia/Kolkata",
        ["London"] = "Europe/London",
        ["New York"] = "America/New_York",
        ["Oslo"] = "Europe/Oslo",
        ["Paris"] = "Europe/Paris",
        ["Rome"] = "Europe/Rome",
        ["Tokyo"] = "Asia/Tokyo",
        ["Toronto"] = "America/Toronto",
    };

    /// <summary>Gets the tools as the client takes them: methods whose parameters and descriptions make the schema.</summary>
    public static IReadOnlyList<AIFunction> All { get; } =
    [
        AIFunctionFactory.Create(GetWeather, "get_weather"),
        AIFunctionFactory.Create(GetTime, "get_time"),
        AIFunctionFactory.Create(Add, "add"),
    ];

    // Made up, but the same for a city each time.
    [Description("Get the current weather for a city")]
    private static Weather GetWeather([Description("The city")] string city)
    {
        int sum = city.Sum(character => character);
        return KnownWeather.GetValueOrDefault(city) ?? new Weather(sum % 30, Conditions[sum % Conditions.Length]);
    }

    [Description("Get the current time in a city")]
    private static LocalTime GetTime([Description("The city")] string city)
    {
        TimeZoneInfo.TryFindSystemTimeZoneById(TimeZones.GetValueOrDefault(city, "UTC"), out TimeZoneInfo? zone);
        DateTimeOffset now = TimeZoneInfo.ConvertTime(DateTimeOffset.UtcNow, zone ?? TimeZoneInfo.Utc);
        return new LocalTime($"{now:HH:mm}");
    }

    [Description("Add two numbers")]
    private static long Add([Description("First number")] int a, [Description("Second number")] int b) => (long)a + b;

    private sealed record Weather(int Temperature, string Condition);

    private sealed record LocalTime(string Time);
}
