using System.Runtime.CompilerServices;
using Microsoft.Extensions.AI;

namespace KimiLinear.Extensions.AI.Tests;

/// <summary>Clients that each break one rule, in a way that clients in use do or did.</summary>
internal static class FaultyChatClients
{
    /// <summary>What is wrong, the rule that says so, and the client.</summary>
    public static IReadOnlyList<(string Fault, string Rule, Func<IChatClient> Create)> All { get; } =
    [
        ("a message id for each update", "one message", Every((update, index) => update.MessageId = $"msg_{index}")),
        ("no message id", "one message", Every((update, _) => update.MessageId = null)),
        ("a role on the first update only", "one message", Every((update, index) => update.Role = index == 0 ? update.Role : null)),
        ("an author on the last update", "one message", Last(update => update.AuthorName = "model")),
        ("no response id", "one response", Every((update, _) => update.ResponseId = null)),
        ("a response id for each update", "one response", Every((update, index) => update.ResponseId = $"resp_{index}")),
        ("the model's name at the end only", "one response", Every((update, _) => NameAtTheEnd(update))),
        ("no time", "one time", Every((update, _) => update.CreatedAt = null)),
        ("a time for each update", "one time", Every((update, index) => update.CreatedAt = Day(index + 1))),
        ("a conversation id", "nothing of a service", Last(update => update.ConversationId = "conversation")),
        ("a continuation token", "nothing of a service", Last(update => update.ContinuationToken = SomeToken())),
        (
            "a finish reason on each update",
            "a finish reason at the end",
            Every((update, _) => update.FinishReason = ChatFinishReason.Stop)),
        ("no finish reason", "a finish reason at the end", Last(update => update.FinishReason = null)),
        ("usage on each update", "usage once", Every((update, _) => update.Contents.Add(Usage(10, 1, 11)))),
        ("no usage", "usage once", Last(update => update.Contents.RemoveAt(update.Contents.Count - 1))),
        ("a total that is none", "usage adds up", Last(update => update.Contents[^1] = Usage(10, 5, 10))),
        ("no tokens counted", "usage adds up", Last(update => update.Contents[^1] = Usage(null, null, null))),
        ("an empty update first", "no empty update", Reply(updates => updates.Insert(0, Like(updates[0])))),
        ("an empty text", "no empty update", Reply(updates => updates.Insert(1, Like(updates[0], new TextContent(""))))),
        ("half characters", "whole characters", Reply(Halve)),
        ("characters lost to tokens", "whole characters", Every((update, _) => Write(update, text => text + "\uFFFD"))),
        ("annotated text", "one text", Every((update, _) => Annotate(update))),
        ("text behind a call", "calls behind the text", Reply(updates => updates.Insert(0, Like(updates[0], SomeCall())))),
        ("a call id twice", "whole calls", Last(update => Calls(update, call => Copy(call, "0")))),
        ("calls in pieces", "whole calls", Last(update => Calls(update, call => new(call.CallId, call.Name)))),
        ("calls that end with stop", "calls are the reason", Last(update => update.FinishReason = ChatFinishReason.Stop)),
        (
            "a finish reason of calls without any",
            "calls are the reason",
            Last(update => update.FinishReason = ChatFinishReason.ToolCalls)),
        (
            "a property on each update",
            "a property once",
            Every((update, index) => update.AdditionalProperties = new() { ["speed"] = index })),
        ("an error as content", "errors are thrown", Last(update => update.Contents.Insert(0, new ErrorContent("no memory")))),
        ("ids that never change", "ids of its own", Every((update, _) => (update.MessageId, update.ResponseId) = ("msg", "resp"))),
        ("messages added to", "the request stays as it was", () => new MutatingChatClient(changesMessages: true)),
        ("stop sequences added to", "the request stays as it was", () => new MutatingChatClient(changesMessages: false)),
        ("null seen late", "no messages are refused at once", () => new LateChatClient()),
        ("another path for whole replies", "the whole is the stream", () => new TwofoldChatClient()),
        ("a cancelled reply that just ends", "cancelled midway", () => new QuietChatClient()),
        ("a cancelled request that is answered", "cancelled before it begins", () => new QuietChatClient()),
        ("a cancellation without its token", "cancelled before it begins", () => new NamelessChatClient()),
        ("a token that is not looked at", "cancelled midway", () => new DeafChatClient()),
        ("a place that is kept", "leaving frees", () => new LeakingChatClient()),
    ];

    private static Func<IChatClient> Every(Action<ChatResponseUpdate, int> alter) => Reply(updates =>
    {
        for (int i = 0; i < updates.Count; i++)
        {
            alter(updates[i], i);
        }
    });

    private static Func<IChatClient> Last(Action<ChatResponseUpdate> alter) => Reply(updates => alter(updates[^1]));

    private static Func<IChatClient> Reply(Action<List<ChatResponseUpdate>> alter) => () => new AlteringChatClient(alter);

    private static ChatResponseUpdate Like(ChatResponseUpdate update, params AIContent[] contents) => new(update.Role, [.. contents])
    {
        MessageId = update.MessageId,
        ResponseId = update.ResponseId,
        ModelId = update.ModelId,
        CreatedAt = update.CreatedAt,
    };

    private static void NameAtTheEnd(ChatResponseUpdate update) => update.ModelId = update.FinishReason is null ? null : "none";

    private static DateTimeOffset Day(int number) => DateTimeOffset.UnixEpoch.AddDays(number);

    private static ResponseContinuationToken SomeToken() => ResponseContinuationToken.FromBytes(new byte[] { 1 });

    private static FunctionCallContent SomeCall() => new("0", "first", new Dictionary<string, object?>());

    private static UsageContent Usage(long? input, long? output, long? total) =>
        new(new UsageDetails { InputTokenCount = input, OutputTokenCount = output, TotalTokenCount = total });

    private static void Halve(List<ChatResponseUpdate> updates)
    {
        ChatResponseUpdate second = Like(updates[0], new TextContent("\uDC3B" + updates[0].Text));
        Write(updates[0], text => text + "\uD83D");
        updates.Insert(1, second);
    }

    private static void Write(ChatResponseUpdate update, Func<string, string> change)
    {
        foreach (TextContent content in update.Contents.OfType<TextContent>())
        {
            content.Text = change(content.Text);
        }
    }

    private static void Annotate(ChatResponseUpdate update)
    {
        foreach (AIContent content in update.Contents)
        {
            content.Annotations = [new AIAnnotation()];
        }
    }

    private static void Calls(ChatResponseUpdate update, Func<FunctionCallContent, FunctionCallContent> change)
    {
        for (int i = 0; i < update.Contents.Count; i++)
        {
            update.Contents[i] = update.Contents[i] is FunctionCallContent call ? change(call) : update.Contents[i];
        }
    }

    private static FunctionCallContent Copy(FunctionCallContent call, string id) => new(id, call.Name, call.Arguments);

    private sealed class AlteringChatClient(Action<List<ChatResponseUpdate>> alter) : ObedientChatClient
    {
        protected override List<ChatResponseUpdate> Reply(ChatOptions? options)
        {
            List<ChatResponseUpdate> updates = base.Reply(options);
            alter(updates);
            return updates;
        }
    }

    private sealed class MutatingChatClient(bool changesMessages) : ObedientChatClient
    {
        public override IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
            IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default)
        {
            if (changesMessages)
            {
                ((List<ChatMessage>)messages).Insert(0, new ChatMessage(ChatRole.System, options?.Instructions));
            }
            else
            {
                options?.StopSequences?.Add("<|im_end|>");
            }

            return base.GetStreamingResponseAsync(messages, options, cancellationToken);
        }
    }

    private sealed class LateChatClient : ObedientChatClient
    {
        public override async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
            IEnumerable<ChatMessage> messages,
            ChatOptions? options = null,
            [EnumeratorCancellation] CancellationToken cancellationToken = default)
        {
            await foreach (ChatResponseUpdate update in base.GetStreamingResponseAsync(messages, options, cancellationToken))
            {
                yield return update;
            }
        }
    }

    private sealed class TwofoldChatClient : ObedientChatClient
    {
        public override Task<ChatResponse> GetResponseAsync(
            IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default) =>
            Task.FromResult(new ChatResponse(new ChatMessage(ChatRole.Assistant, "Wait.")) { FinishReason = ChatFinishReason.Stop });
    }

    private sealed class QuietChatClient : ObedientChatClient
    {
        protected override async IAsyncEnumerable<ChatResponseUpdate> StreamAsync(
            List<ChatResponseUpdate> reply, [EnumeratorCancellation] CancellationToken cancellationToken)
        {
            await foreach (ChatResponseUpdate update in base.StreamAsync(reply, CancellationToken.None))
            {
                if (cancellationToken.IsCancellationRequested)
                {
                    break;
                }

                yield return update;
            }
        }
    }

    private sealed class NamelessChatClient : ObedientChatClient
    {
        public override IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
            IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default) =>
            cancellationToken.IsCancellationRequested
                ? throw new OperationCanceledException()
                : base.GetStreamingResponseAsync(messages, options, cancellationToken);
    }

    private sealed class DeafChatClient : ObedientChatClient
    {
        protected override IAsyncEnumerable<ChatResponseUpdate> StreamAsync(
            List<ChatResponseUpdate> reply, CancellationToken cancellationToken) => base.StreamAsync(reply, CancellationToken.None);
    }

    private sealed class LeakingChatClient : ObedientChatClient
    {
        private readonly SemaphoreSlim _places = new(4);

        protected override async IAsyncEnumerable<ChatResponseUpdate> StreamAsync(
            List<ChatResponseUpdate> reply, [EnumeratorCancellation] CancellationToken cancellationToken)
        {
            await _places.WaitAsync(cancellationToken);
            await foreach (ChatResponseUpdate update in base.StreamAsync(reply, cancellationToken))
            {
                yield return update;
            }

            // A caller who leaves never gets here.
            _places.Release();
        }
    }
}
