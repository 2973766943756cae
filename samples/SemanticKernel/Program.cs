using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.SemanticKernel;
using SemanticKernelSample;

string question = args is [var first, ..] ? first : "What is the weather in Paris?";
string model = Environment.GetEnvironmentVariable("KIMI_MODEL")
    ?? Path.Combine(AppContext.BaseDirectory, "models", "kimi-linear-tiny");

ServiceCollection services = new();
// The kernel asks whatever IChatClient is registered; functions are run by the second half of this line.
services.AddKimiLinearChatClient(model).UseKernelFunctionInvocation();
services.AddKernel().Plugins.AddFromType<CityPlugin>("city");
services.AddSingleton<IFunctionInvocationFilter, CallPrinter>();
await using ServiceProvider provider = services.BuildServiceProvider();

Kernel kernel = provider.GetRequiredService<Kernel>();
PromptExecutionSettings settings = new()
{
    FunctionChoiceBehavior = FunctionChoiceBehavior.Auto(),
    ExtensionData = new Dictionary<string, object> { ["temperature"] = 0 },
};
KernelArguments arguments = new(settings) { ["question"] = question };
Console.WriteLine(await kernel.InvokePromptAsync("{{$question}}", arguments));
