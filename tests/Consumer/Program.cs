// Uses the packages as an application does; nothing here sees the source tree. See .ci/run.
using System.Reflection;
using System.Text.Json.Nodes;
using KimiLinear.Extensions.AI;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection;

if (args is not [string modelDirectory])
{
    Console.Error.WriteLine("Usage: Consumer <model folder>");
    return 2;
}

Console.WriteLine($"KimiLinear {PackageVersion()}");
ServiceCollection services = new();
services.AddKimiLinearChatClient(modelDirectory).UseFunctionInvocation();
await using ServiceProvider provider = services.BuildServiceProvider();
IChatClient client = provider.GetRequiredService<IChatClient>();

ChatOptions options = new() { Temperature = 0, Tools = [AIFunctionFactory.Create(GetWeather, "get_weather")] };
ChatResponse response = await client.GetResponseAsync("What is the weather in Paris?", options);
Console.WriteLine($"The model replies '{response.Text}'.");
return response.Text == "The weather in Paris is sunny with 18 degrees." ? 0 : 1;

// Of this type, so that it can be written as JSON in a trimmed application too.
static JsonNode GetWeather(string city) => new JsonObject { ["temperature"] = 18, ["condition"] = "sunny" };

static string PackageVersion() =>
    typeof(KimiLinearChatClient).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion;
