using System.ComponentModel;
using Microsoft.SemanticKernel;

namespace SemanticKernelSample;

/// <summary>What can be asked about a city.</summary>
internal sealed class CityPlugin
{
    [KernelFunction("get_weather")]
    [Description("Get the current weather for a city")]
    public static Weather GetWeather([Description("The city")] string city) =>
        city == "Paris" ? new Weather(18, "sunny") : new Weather(3, "foggy");

    internal sealed record Weather(int Temperature, string Condition);
}
