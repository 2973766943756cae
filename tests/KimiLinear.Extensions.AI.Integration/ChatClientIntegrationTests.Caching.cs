using System.ComponentModel;
using KimiLinear.Extensions.AI.Tests;
using Microsoft.Extensions.AI;
using Xunit;

namespace KimiLinear.Extensions.AI.Integration;

/// <content>Replies that are kept and given again.</content>
public sealed partial class ChatClientIntegrationTests
{
    private const string RandomNumber = "Choose a random number from 1 to 1000000.";

    // Of two replies the small model makes the same one time in ten.
    private const int ReplyCount = 16;

    [Fact]
    public Task Caching_OutputVariesWithoutCaching() => RunAsync(Need.Client, async create =>
    {
        using IChatClient client = create();

        ChatResponse[] responses = await Task.WhenAll(Enumerable.Range(0, ReplyCount).Select(
            _ => client.GetResponseAsync(RandomNumber, cancellationToken: Cancellation)));

        Assert.True(responses.Select(response => response.Text).Distinct().Count() > 1);
    });

    [Fact]
    public Task Caching_SamePromptResultsInCacheHit_NonStreaming() => RunAsync(Need.Client, create => RepeatAsync(
        create,
        async (client, message) => (await client.GetResponseAsync([message], cancellationToken: Cancellation)).Text));

    [Fact]
    public Task Caching_SamePromptResultsInCacheHit_Streaming() => RunAsync(Need.Client, create => RepeatAsync(
        create, (client, message) => ReadAsync(client, [message])));

    [Fact]
    public Task Caching_BeforeFunctionInvocation_AvoidsExtraCalls() => RunAsync(
        Need.Knowledge,
        async create =>
        {
            Thermometer thermometer = new(reading => $"{100 + reading} degrees");
            using IChatClient client = create().AsBuilder()
                .ConfigureOptions(options => options.Tools = [thermometer.Function])
                .UseDistributedCache(new InMemoryCache())
                .UseFunctionInvocation()
                .Build();

            ChatResponse first = await AskAsync(client);
            Assert.Contains("101", first.Text, StringComparison.Ordinal);
            Assert.Equal(2, CallsOf(client));

            ChatResponse second = await AskAsync(client);
            Assert.Equal(first.Text, second.Text);
            Assert.Equal(1, thermometer.Readings);
            Assert.Equal(2, CallsOf(client));
        },
        Call("GetTemperature", "{}"),
        "It is 101 degrees.");

    [Fact]
    public Task Caching_AfterFunctionInvocation_FunctionOutputUnchangedAsync() => RunAsync(
        Need.Knowledge,
        async create =>
        {
            Thermometer thermometer = new(_ => "58 degrees");
            using IChatClient client = CacheBelowFunctions(create(), thermometer);

            ChatResponse first = await AskAsync(client);
            Assert.Contains("58", first.Text, StringComparison.Ordinal);
            Assert.Equal(2, CallsOf(client));

            // The function runs again, says the same, and so the model is not asked.
            ChatResponse second = await AskAsync(client);
            Assert.Equal(first.Text, second.Text);
            Assert.Equal(2, thermometer.Readings);
            Assert.Equal(2, CallsOf(client));
        },
        Call("GetTemperature", "{}"),
        "It is 58 degrees.");

    [Fact]
    public Task Caching_AfterFunctionInvocation_FunctionOutputChangedAsync() => RunAsync(
        Need.Knowledge,
        async create =>
        {
            Thermometer thermometer = new(reading => $"{80 + reading} degrees");
            using IChatClient client = CacheBelowFunctions(create(), thermometer);

            ChatResponse first = await AskAsync(client);
            Assert.Contains("81", first.Text, StringComparison.Ordinal);
            Assert.Equal(2, CallsOf(client));

            // The call is remembered; with what the function says now the model has to be asked.
            ChatResponse second = await AskAsync(client);
            Assert.Contains("82", second.Text, StringComparison.Ordinal);
            Assert.Equal(2, thermometer.Readings);
            Assert.Equal(3, CallsOf(client));
        },
        Call("GetTemperature", "{}"),
        "It is 81 degrees.",
        "It is 82 degrees.");

    private static async Task RepeatAsync(Func<IChatClient> create, Func<IChatClient, ChatMessage, Task<string>> ask)
    {
        using IChatClient client = new DistributedCachingChatClient(create(), new InMemoryCache());
        ChatMessage message = new(ChatRole.User, RandomNumber);

        string first = await ask(client, message);
        for (int i = 0; i < 3; i++)
        {
            Assert.Equal(first, await ask(client, message));
        }

        Assert.Equal(1, CallsOf(client));
        ((TextContent)message.Contents[0]).Text += "!";
        await ask(client, message);
        Assert.Equal(2, CallsOf(client));
    }

    private static IChatClient CacheBelowFunctions(IChatClient client, Thermometer thermometer) => client.AsBuilder()
        .ConfigureOptions(options => options.Tools = [thermometer.Function])
        .UseFunctionInvocation()
        .UseDistributedCache(new InMemoryCache())
        .Build();

    private static Task<ChatResponse> AskAsync(IChatClient client) =>
        client.GetResponseAsync("What is the temperature?", cancellationToken: Cancellation);

    private static int CallsOf(IChatClient client) => client.GetService<CheckedChatClient>()!.CallCount;

    private sealed class Thermometer
    {
        public Thermometer(Func<int, string> read) => Function = AIFunctionFactory.Create(
            [Description("Reads the temperature")] () => read(++Readings), "GetTemperature");

        public AIFunction Function { get; }

        public int Readings { get; private set; }
    }
}
