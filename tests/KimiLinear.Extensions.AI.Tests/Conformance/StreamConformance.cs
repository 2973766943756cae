using System.Text.Json;
using Microsoft.Extensions.AI;
using Xunit;

namespace KimiLinear.Extensions.AI.Tests;

/// <summary>
/// Checks that a chat client streams as its callers and middleware expect: the rules of <see cref="StreamRules"/> for replies of
/// all kinds, and what can only be seen from how the client behaves.
/// </summary>
/// <param name="create">Makes the client under test; it is called for each rule.</param>
internal sealed class StreamConformance(Func<IChatClient> create)
{
    private const int LeaverCount = 64;

    private static readonly Dictionary<string, Func<StreamConformance, IChatClient, Task>> Behaviors = new()
    {
        ["ids of its own"] = (test, client) => test.IdsOfItsOwnAsync(client),
        ["the request stays as it was"] = (test, client) => test.RequestStaysAsync(client),
        ["no messages are refused at once"] = (_, client) => NullIsRefusedAtOnceAsync(client),
        ["the whole is the stream"] = (test, client) => test.WholeIsTheStreamAsync(client),
        ["cancelled before it begins"] = (test, client) => test.CancelledBeforeAsync(client),
        ["cancelled midway"] = (test, client) => test.CancelledMidwayAsync(client),
        ["leaving frees"] = (test, client) => test.LeavingFreesAsync(client),
    };

    /// <summary>The names of all rules.</summary>
    public static IEnumerable<string> Rules => StreamRules.All.Keys.Concat(Behaviors.Keys);

    /// <summary>Something the client answers in several updates.</summary>
    public string Question { get; init; } = "Tell me a story.";

    /// <summary>Something the client calls <see cref="Tool"/> for.</summary>
    public string ToolQuestion { get; init; } = "What is the weather in Paris?";

    public AIFunction Tool { get; init; } = Tools.GetWeather();

    /// <summary>How long a request may take before it counts as stuck.</summary>
    public TimeSpan Limit { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Checks one rule; an assertion fails if the client breaks it.</summary>
    public async Task CheckAsync(string rule)
    {
        using IChatClient client = create();
        if (Behaviors.TryGetValue(rule, out Func<StreamConformance, IChatClient, Task>? behavior))
        {
            await behavior(this, client);
            return;
        }

        StreamRules.All[rule](await CollectAsync(client, Question, Repeatable()));
        StreamRules.All[rule](await CollectAsync(client, Question, Cut()));
        StreamRules.All[rule](await CollectAsync(client, ToolQuestion, WithTool()));
    }

    private static ChatOptions Repeatable() => new() { Temperature = 0, Seed = 1 };

    private static ChatOptions Cut() => new() { Temperature = 0, Seed = 1, MaxOutputTokens = 5 };

    private ChatOptions WithTool() => new() { Temperature = 0, Seed = 1, Tools = [Tool] };

    private static async Task<List<ChatResponseUpdate>> CollectAsync(IChatClient client, string question, ChatOptions options)
    {
        List<ChatResponseUpdate> updates = [];
        await foreach (ChatResponseUpdate update in client.GetStreamingResponseAsync(question, options))
        {
            updates.Add(update);
        }

        return updates;
    }

    private async Task IdsOfItsOwnAsync(IChatClient client)
    {
        ChatResponse first = (await CollectAsync(client, Question, Repeatable())).ToChatResponse();
        ChatResponse second = (await CollectAsync(client, Question, Repeatable())).ToChatResponse();

        Assert.NotEqual(first.ResponseId, second.ResponseId);
        Assert.NotEqual(first.Messages[0].MessageId, second.Messages[0].MessageId);
    }

    private async Task RequestStaysAsync(IChatClient client)
    {
        List<ChatMessage> messages = [new(ChatRole.System, "Be kind."), new(ChatRole.User, ToolQuestion)];
        ChatOptions options = WithTool();
        options.Instructions = "Be brief.";
        options.StopSequences = ["nowhere"];
        string before = Written();

        await client.GetStreamingResponseAsync(messages, options).ToChatResponseAsync();

        Assert.Equal(before, Written());
        Assert.Same(Tool, Assert.Single(options.Tools!));

        string Written() => JsonSerializer.Serialize(messages, AIJsonUtilities.DefaultOptions)
            + JsonSerializer.Serialize(options, AIJsonUtilities.DefaultOptions);
    }

    // Not at the first update, where nobody looks for it.
    private static async Task NullIsRefusedAtOnceAsync(IChatClient client)
    {
        const IEnumerable<ChatMessage>? None = null;
        Assert.Throws<ArgumentNullException>("messages", () => { client.GetStreamingResponseAsync(None!); });
        await Assert.ThrowsAsync<ArgumentNullException>("messages", () => client.GetResponseAsync(None!));
    }

    private async Task WholeIsTheStreamAsync(IChatClient client)
    {
        ChatResponse streamed = (await CollectAsync(client, ToolQuestion, WithTool())).ToChatResponse();
        ChatResponse whole = await client.GetResponseAsync(ToolQuestion, WithTool());

        Assert.Equal(Parts(streamed), Parts(whole));
        Assert.Equal(streamed.FinishReason, whole.FinishReason);
        Assert.Equal(streamed.ModelId, whole.ModelId);
        Assert.Equal(streamed.Usage?.InputTokenCount, whole.Usage?.InputTokenCount);
        Assert.Equal(streamed.Usage?.OutputTokenCount, whole.Usage?.OutputTokenCount);

        static string[] Parts(ChatResponse response) =>
        [
            .. response.Messages.SelectMany(message => message.Contents).Select(
                content => content is FunctionCallContent call ? $"{call.Name}:{call.CallId}" : $"{content.GetType().Name}:{content}"),
        ];
    }

    private async Task CancelledBeforeAsync(IChatClient client)
    {
        CancellationToken cancelled = new(canceled: true);

        await RequireCancelledAsync(
            () => client.GetStreamingResponseAsync(Question, Repeatable(), cancelled).ToChatResponseAsync(CancellationToken.None),
            cancelled);
        await RequireCancelledAsync(() => client.GetResponseAsync(Question, Repeatable(), cancelled), cancelled);
    }

    private async Task CancelledMidwayAsync(IChatClient client)
    {
        using CancellationTokenSource cancellation = new();
        await RequireCancelledAsync(ReadAsync, cancellation.Token);

        async Task ReadAsync()
        {
            await foreach (ChatResponseUpdate update in client.GetStreamingResponseAsync(Question, Repeatable(), cancellation.Token))
            {
                await cancellation.CancelAsync();
            }
        }
    }

    // A reply that just ends would be taken for a whole one.
    private static async Task RequireCancelledAsync(Func<Task> request, CancellationToken token) =>
        Assert.Equal(token, (await Assert.ThrowsAnyAsync<OperationCanceledException>(request)).CancellationToken);

    // Were anything kept of a stream that is left, the client would serve so many and no more.
    private async Task LeavingFreesAsync(IChatClient client)
    {
        Task requests = Task.Run(async () =>
        {
            for (int i = 0; i < LeaverCount; i++)
            {
                await foreach (ChatResponseUpdate update in client.GetStreamingResponseAsync(Question, Repeatable()))
                {
                    break;
                }
            }

            await client.GetResponseAsync(Question, Cut());
        });

        Task first = await Task.WhenAny(requests, Task.Delay(Limit));
        Assert.True(first == requests, $"No reply within {Limit} after {LeaverCount} streams were left.");
        await requests;
    }
}
