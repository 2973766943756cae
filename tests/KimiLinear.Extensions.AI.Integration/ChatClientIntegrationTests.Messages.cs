using System.Text;
using Microsoft.Extensions.AI;
using Xunit;

namespace KimiLinear.Extensions.AI.Integration;

/// <content>Messages of all kinds, and what comes back.</content>
public sealed partial class ChatClientIntegrationTests
{
    [Fact]
    public Task GetResponseAsync_SingleRequestMessage() => RunAsync(
        Need.Knowledge,
        async create =>
        {
            using IChatClient client = create();

            ChatResponse response = await client.GetResponseAsync("Which animal is the biggest?", cancellationToken: Cancellation);

            Assert.Contains("whale", response.Text, StringComparison.OrdinalIgnoreCase);
        },
        "The blue whale.");

    [Fact]
    public Task GetResponseAsync_MultipleRequestMessages() => RunAsync(
        Need.Knowledge,
        async create =>
        {
            using IChatClient client = create();

            ChatResponse response = await client.GetResponseAsync(
                [
                    new(ChatRole.User, "Name a city."),
                    new(ChatRole.Assistant, "Seattle"),
                    new(ChatRole.User, "And one more."),
                    new(ChatRole.Assistant, "Jakarta"),
                    new(ChatRole.User, "On which continents are they?"),
                ],
                cancellationToken: Cancellation);

            Assert.Contains("America", response.Text, StringComparison.Ordinal);
            Assert.Contains("Asia", response.Text, StringComparison.Ordinal);
        },
        "Seattle is in North America and Jakarta is in Asia.");

    [Fact]
    public Task GetResponseAsync_WithEmptyMessage() => RunAsync(
        Need.Knowledge,
        async create =>
        {
            using IChatClient client = create();

            ChatResponse response = await client.GetResponseAsync(
                [
                    new(ChatRole.System, []),
                    new(ChatRole.User, []),
                    new(ChatRole.Assistant, []),
                    new(ChatRole.User, "What is 1 + 2? Say the number only."),
                ],
                cancellationToken: Cancellation);

            Assert.Contains("3", response.Text, StringComparison.Ordinal);
        },
        "3");

    [Fact]
    public Task GetStreamingResponseAsync() => RunAsync(
        Need.Knowledge,
        async create =>
        {
            using IChatClient client = create();

            string text = await ReadAsync(client, [new(ChatRole.User, "What did Neil Armstrong say, word for word?")]);

            Assert.Contains("one small step", text, StringComparison.OrdinalIgnoreCase);
            Assert.Contains("one giant leap", text, StringComparison.OrdinalIgnoreCase);
        },
        "That's one small step for man, one giant leap for mankind.");

    [Fact]
    public Task GetResponseAsync_UsageDataAvailable() => RunAsync(Need.Client, async create =>
    {
        using IChatClient client = create();

        ChatResponse response = await client.GetResponseAsync("How does AI work, in 10 words?", cancellationToken: Cancellation);

        RequireUsage(response.Usage);
    });

    [Fact]
    public Task GetStreamingResponseAsync_UsageDataAvailable() => RunAsync(Need.Client, async create =>
    {
        using IChatClient client = create();
        ChatOptions options = new()
        {
            AdditionalProperties = new() { ["stream_options"] = new Dictionary<string, object> { ["include_usage"] = true } },
        };

        List<ChatResponseUpdate> updates = [];
        await foreach (ChatResponseUpdate update in client.GetStreamingResponseAsync("How does AI work, in 10 words?", options))
        {
            updates.Add(update);
        }

        Assert.True(updates.Count > 1);
        RequireUsage(Assert.Single(updates.SelectMany(update => update.Contents).OfType<UsageContent>()).Details);
    });

    [Fact]
    public Task GetStreamingResponseAsync_AppendToHistory() => RunAsync(Need.Client, async create =>
    {
        using IChatClient client = create();
        List<ChatMessage> history = [new(ChatRole.User, "How does AI work, in 100 words?")];

        IAsyncEnumerable<ChatResponseUpdate> stream = client.GetStreamingResponseAsync(history);
        Assert.Single(history);
        await history.AddMessagesAsync(stream);

        Assert.Equal([ChatRole.User, ChatRole.Assistant], history.Select(message => message.Role));
        TextContent content = Assert.IsType<TextContent>(Assert.Single(history[1].Contents));
        Assert.NotEqual("", content.Text);
        Assert.Equal(content.Text, history[1].Text);
    });

    [Fact]
    public Task MultiModal_DescribeImage() => RunAsync(
        Need.Vision, create => DescribeAsync(create, "What does it say?", "image/png"));

    [Fact]
    public Task MultiModal_DescribePdf() => RunAsync(
        Need.Vision, create => DescribeAsync(create, "What does it hold?", "application/pdf"));

    private static async Task DescribeAsync(Func<IChatClient> create, string question, string mediaType)
    {
        using IChatClient client = create();
        DataContent content = new(new byte[] { 1, 2, 3 }, mediaType);

        await client.GetResponseAsync(
            [new ChatMessage(ChatRole.User, [new TextContent(question), content])], cancellationToken: Cancellation);
    }

    private static async Task<string> ReadAsync(IChatClient client, IEnumerable<ChatMessage> messages, ChatOptions? options = null)
    {
        StringBuilder text = new();
        await foreach (ChatResponseUpdate update in client.GetStreamingResponseAsync(messages, options, Cancellation))
        {
            text.Append(update.Text);
        }

        return text.ToString();
    }

    private static void RequireUsage(UsageDetails? usage)
    {
        Assert.True(usage?.InputTokenCount > 1);
        Assert.True(usage.OutputTokenCount > 1);
        Assert.Equal(usage.InputTokenCount + usage.OutputTokenCount, usage.TotalTokenCount);
    }
}
