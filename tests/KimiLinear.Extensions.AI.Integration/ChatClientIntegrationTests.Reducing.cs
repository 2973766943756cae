using System.ComponentModel;
using Microsoft.Extensions.AI;
using Xunit;

namespace KimiLinear.Extensions.AI.Integration;

/// <content>Conversations whose beginning is replaced by a summary of the model's own.</content>
public sealed partial class ChatClientIntegrationTests
{
    [Fact]
    public Task SummarizingChatReducer_PreservesConversationContext() => RunAsync(
        Need.Knowledge,
        async create =>
        {
            using SummarizedChat chat = new(create(), targetCount: 2, threshold: 1);

            ChatResponse response = await chat.Client.GetResponseAsync(
                [
                    new(ChatRole.User, "I am Alice, and I like to hike in the mountains."),
                    new(ChatRole.Assistant, "Hello, Alice! Which trail do you like best?"),
                    new(ChatRole.User, "The Pacific Crest Trail. I was there last summer."),
                    new(ChatRole.Assistant, "Which part of it?"),
                    new(ChatRole.User, "The part through the Sierra Nevada."),
                    new(ChatRole.Assistant, "That one has the best views."),
                    new(ChatRole.User, "Who am I, and what do I like to do?"),
                ],
                cancellationToken: Cancellation);

            Assert.Equal(1, chat.SummaryCount);
            Assert.Collection(
                chat.Reduced,
                message =>
                {
                    Assert.Equal(ChatRole.Assistant, message.Role);
                    Assert.Contains("Alice", message.Text, StringComparison.Ordinal);
                },
                message => Assert.StartsWith("The part through", message.Text, StringComparison.Ordinal),
                message => Assert.StartsWith("That one", message.Text, StringComparison.Ordinal),
                message => Assert.StartsWith("Who am I", message.Text, StringComparison.Ordinal));
            Assert.Contains("Alice", response.Text, StringComparison.Ordinal);
            Assert.Contains("hik", response.Text, StringComparison.OrdinalIgnoreCase);
        },
        "Alice hikes and knows the Pacific Crest Trail.",
        "You are Alice, and you like hiking.");

    [Fact]
    public Task SummarizingChatReducer_PreservesSystemMessage() => RunAsync(
        Need.Knowledge,
        async create =>
        {
            const string Pirate = "You are a pirate and speak like one.";
            using SummarizedChat chat = new(create(), targetCount: 2, threshold: 0);

            ChatResponse response = await chat.Client.GetResponseAsync(
                [
                    new(ChatRole.System, Pirate),
                    new(ChatRole.User, "How is the weather?"),
                    new(ChatRole.Assistant, "Ahoy, the skies be clear!"),
                    new(ChatRole.User, "And tomorrow?"),
                    new(ChatRole.Assistant, "Arr, rain be coming from the east!"),
                    new(ChatRole.User, "Do I need an umbrella?"),
                    new(ChatRole.Assistant, "Aye, unless ye like to be soaked!"),
                    new(ChatRole.User, "What is 2 + 2?"),
                ],
                cancellationToken: Cancellation);

            Assert.Equal(1, chat.SummaryCount);
            Assert.Equal(
                [ChatRole.System, ChatRole.Assistant, ChatRole.Assistant, ChatRole.User], chat.Reduced.Select(message => message.Role));
            Assert.Equal(Pirate, chat.Reduced[0].Text);
            Assert.StartsWith("Aye", chat.Reduced[2].Text, StringComparison.Ordinal);
            Assert.Equal("What is 2 + 2?", chat.Reduced[3].Text);
            Assert.Contains("ye", response.Text, StringComparison.OrdinalIgnoreCase);
        },
        "The weather was spoken of.",
        "Aye, that be 4!");

    [Fact]
    public Task SummarizingChatReducer_WithFunctionCalls() => RunAsync(
        Need.Knowledge,
        async create =>
        {
            AIFunction weather = AIFunctionFactory.Create(
                ([Description("Gets the weather of a city")] string city) =>
                    city switch { "Seattle" => "rainy, 15 °C", "Miami" => "sunny, 28 °C", _ => "unknown" },
                "GetWeather");
            using SummarizedChat chat = new(create(), targetCount: 2, threshold: 0);
            using IChatClient client = chat.Client.AsBuilder().UseFunctionInvocation().Build();

            ChatResponse response = await client.GetResponseAsync(
                [
                    new(ChatRole.User, "How is the weather in Seattle?"),
                    new(ChatRole.Assistant, "I will look it up."),
                    new(ChatRole.User, "And in Miami?"),
                    new(ChatRole.Assistant, "I will look that up too."),
                    new(ChatRole.User, "Where is it better?"),
                ],
                new() { Tools = [weather] },
                Cancellation);

            Assert.Equal(1, chat.SummaryCount);
            Assert.Equal(3, chat.Reduced.Count);
            Assert.Contains("Miami", response.Text, StringComparison.Ordinal);
            Assert.Contains("better", response.Text, StringComparison.Ordinal);
        },
        "The weather in Seattle and Miami was asked for.",
        "It is better in Miami.");

    [Fact]
    public Task SummarizingChatReducer_Streaming() => RunAsync(
        Need.Knowledge,
        async create =>
        {
            const string Question = "Was anybody named? Who, and what do they do?";
            using SummarizedChat chat = new(create(), targetCount: 2, threshold: 0);

            string text = await ReadAsync(
                chat.Client,
                [
                    new(ChatRole.User, "I am Bob, and I write software."),
                    new(ChatRole.Assistant, "Hello, Bob! What kind of software?"),
                    new(ChatRole.User, "Tools for schools."),
                    new(ChatRole.Assistant, "That helps many."),
                    new(ChatRole.User, "They fit what each learner needs."),
                    new(ChatRole.Assistant, "Learning that fits is the future."),
                    new(ChatRole.User, Question),
                ]);

            Assert.Equal(1, chat.SummaryCount);
            Assert.Collection(
                chat.Reduced,
                message =>
                {
                    Assert.Equal(ChatRole.Assistant, message.Role);
                    Assert.Contains("Bob", message.Text, StringComparison.Ordinal);
                },
                message => Assert.StartsWith("Learning that fits", message.Text, StringComparison.Ordinal),
                message => Assert.Equal(Question, message.Text));
            Assert.Contains("Bob", text, StringComparison.Ordinal);
            Assert.Contains("software", text, StringComparison.OrdinalIgnoreCase);
        },
        "Bob writes software for schools.",
        "Bob, who writes software.");

    [Fact]
    public Task SummarizingChatReducer_CustomPrompt() => RunAsync(
        Need.Knowledge,
        async create =>
        {
            using SummarizedChat chat = new(create(), targetCount: 2, threshold: 0);
            chat.Reducer.SummarizationPrompt = "Sum up the conversation, above all its numbers.";

            ChatResponse response = await chat.Client.GetResponseAsync(
                [
                    new(ChatRole.User, "I have 3 cats and 2 dogs."),
                    new(ChatRole.Assistant, "That is 5 pets!"),
                    new(ChatRole.User, "They cost me $200 a month."),
                    new(ChatRole.Assistant, "I am sure they are worth it."),
                    new(ChatRole.User, "They eat 10 cans a week."),
                    new(ChatRole.Assistant, "That is much for small friends."),
                    new(ChatRole.User, "How many pets do I have?"),
                ],
                cancellationToken: Cancellation);

            Assert.Equal(1, chat.SummaryCount);
            Assert.Equal(3, chat.Reduced.Count);
            Assert.Equal(ChatRole.Assistant, chat.Reduced[0].Role);
            Assert.Contains(chat.Reduced[0].Text, char.IsDigit);
            Assert.Contains("5", response.Text, StringComparison.Ordinal);
        },
        "3 cats, 2 dogs, $200 a month, 10 cans a week.",
        "You have 5 pets.");

    /// <summary>A client that sums up what lies back, with what it did.</summary>
    private sealed class SummarizedChat : IDisposable
    {
        public SummarizedChat(IChatClient client, int targetCount, int threshold)
        {
            IChatClient counting = client.AsBuilder()
                .Use(async (messages, options, next, cancellationToken) =>
                {
                    SummaryCount++;
                    await next(messages, options, cancellationToken);
                })
                .Build();
            Reducer = new SummarizingChatReducer(counting, targetCount, threshold);
            Client = client.AsBuilder()
                .UseChatReducer(Reducer)
                .Use(async (messages, options, next, cancellationToken) =>
                {
                    Reduced = [.. messages];
                    await next(messages, options, cancellationToken);
                })
                .Build();
        }

        public IChatClient Client { get; }

        public SummarizingChatReducer Reducer { get; }

        public int SummaryCount { get; private set; }

        public IReadOnlyList<ChatMessage> Reduced { get; private set; } = [];

        public void Dispose() => Client.Dispose();
    }
}
