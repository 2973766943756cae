using System.ComponentModel;
using Microsoft.Extensions.AI;

namespace KimiLinear.Extensions.AI.Tests;

/// <summary>The tools the small model was trained with, declared as an application declares them.</summary>
internal static class Tools
{
    public static AIFunction GetWeather(Func<string, object?>? answer = null)
    {
        Func<string, object?> weather = answer ?? (_ => new { temperature = 18, condition = "sunny" });
        return AIFunctionFactory.Create(
            ([Description("The city")] string city) => weather(city), "get_weather", "Get the current weather for a city");
    }

    public static AIFunction GetTime(Func<string, string>? answer = null)
    {
        Func<string, string> time = answer ?? (_ => "22:28");
        return AIFunctionFactory.Create(
            ([Description("The city")] string city) => time(city), "get_time", "Get the current time in a city");
    }

    public static AIFunction Add(Action<int, int>? seen = null) => AIFunctionFactory.Create(
        ([Description("First number")] int a, [Description("Second number")] int b) =>
        {
            seen?.Invoke(a, b);
            return a + b;
        },
        "add",
        "Add two numbers");
}
