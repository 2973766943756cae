using System.ComponentModel;
using Microsoft.Agents.AI;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection;

string[] questions = args.Length > 0 ? args : ["What is the weather in Paris?", "Add 17 and 25."];
string model = Environment.GetEnvironmentVariable("KIMI_MODEL")
    ?? Path.Combine(AppContext.BaseDirectory, "models", "kimi-linear-tiny");

ServiceCollection services = new();
services.AddKimiLinearChatClient(model);
await using ServiceProvider provider = services.BuildServiceProvider();

// The agent runs its tools itself; the client needs nothing around it.
AIAgent agent = provider.GetRequiredService<IChatClient>().AsAIAgent(new ChatClientAgentOptions
{
    Name = "Assistant",
    ChatOptions = new ChatOptions
    {
        Instructions = "You are a helpful assistant.",
        Temperature = 0,
        Tools = [AIFunctionFactory.Create(GetWeather, "get_weather"), AIFunctionFactory.Create(Add, "add")],
    },
});

// One session, so that a question can follow up on the one before; only what is new is read.
AgentSession session = await agent.CreateSessionAsync();
foreach (string question in questions)
{
    Console.WriteLine($"> {question}");
    await foreach (AgentResponseUpdate update in agent.RunStreamingAsync(question, session))
    {
        foreach (FunctionCallContent call in update.Contents.OfType<FunctionCallContent>())
        {
            IEnumerable<string>? arguments = call.Arguments?.Select(argument => $"{argument.Key}: {argument.Value}");
            Console.WriteLine($"  {call.Name}({string.Join(", ", arguments ?? [])})");
        }

        Console.Write(update.Text);
    }

    Console.WriteLine();
}

[Description("Get the current weather for a city")]
static object GetWeather([Description("The city")] string city) =>
    city == "Paris" ? new { temperature = 18, condition = "sunny" } : new { temperature = 3, condition = "foggy" };

[Description("Add two numbers")]
static long Add([Description("First number")] int a, [Description("Second number")] int b) => (long)a + b;
