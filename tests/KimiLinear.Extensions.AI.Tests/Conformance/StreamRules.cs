using System.Text;
using Microsoft.Extensions.AI;
using Xunit;

namespace KimiLinear.Extensions.AI.Tests;

/// <summary>What the updates of one reply must be like for middleware to put them together, for any chat client.</summary>
internal static class StreamRules
{
    /// <summary>The rules by name. Each is given all updates of a reply, and fails an assertion if they break it.</summary>
    public static IReadOnlyDictionary<string, Action<IReadOnlyList<ChatResponseUpdate>>> All { get; } =
        new Dictionary<string, Action<IReadOnlyList<ChatResponseUpdate>>>
        {
            ["one message"] = OneMessage,
            ["one response"] = OneResponse,
            ["one time"] = OneTime,
            ["nothing of a service"] = NothingOfAService,
            ["a finish reason at the end"] = FinishAtTheEnd,
            ["usage once"] = UsageOnce,
            ["usage adds up"] = UsageAddsUp,
            ["no empty update"] = NoEmptyUpdate,
            ["whole characters"] = WholeCharacters,
            ["one text"] = OneText,
            ["calls behind the text"] = CallsBehindText,
            ["whole calls"] = WholeCalls,
            ["calls are the reason"] = CallsAreTheReason,
            ["a property once"] = PropertyOnce,
            ["errors are thrown"] = ErrorsAreThrown,
        };

    /// <summary>Collects a reply's updates, checks them, and returns what they add up to.</summary>
    public static async Task<ChatResponse> CheckAsync(IAsyncEnumerable<ChatResponseUpdate> stream)
    {
        List<ChatResponseUpdate> updates = [];
        await foreach (ChatResponseUpdate update in stream)
        {
            updates.Add(update);
        }

        return Check(updates);
    }

    /// <summary>Checks the updates of a whole reply and returns what they add up to.</summary>
    public static ChatResponse Check(IReadOnlyList<ChatResponseUpdate> updates)
    {
        foreach (Action<IReadOnlyList<ChatResponseUpdate>> rule in All.Values)
        {
            rule(updates);
        }

        return updates.ToChatResponse();
    }

    // Where role, message id or author change, a new message begins.
    private static void OneMessage(IReadOnlyList<ChatResponseUpdate> updates)
    {
        Assert.NotEmpty(updates);
        Assert.False(string.IsNullOrEmpty(updates[0].MessageId), "The first update has no message id.");
        Assert.All(updates, update =>
        {
            Assert.Equal(ChatRole.Assistant, update.Role);
            Assert.Equal(updates[0].MessageId, update.MessageId);
            Assert.Null(update.AuthorName);
        });
        ChatMessage message = Assert.Single(updates.ToChatResponse().Messages);
        Assert.Equal(string.Concat(updates.Select(update => update.Text)), message.Text);
    }

    // The last value wins, and telemetry takes the model's name from the first update.
    private static void OneResponse(IReadOnlyList<ChatResponseUpdate> updates)
    {
        Assert.False(string.IsNullOrEmpty(updates[0].ResponseId), "The first update has no response id.");
        Assert.False(string.IsNullOrEmpty(updates[0].ModelId), "The first update has no model id.");
        Assert.All(updates, update =>
        {
            Assert.Equal(updates[0].ResponseId, update.ResponseId);
            Assert.Equal(updates[0].ModelId, update.ModelId);
        });
    }

    // The first value wins, and who writes updates on as chunks writes each update's own.
    private static void OneTime(IReadOnlyList<ChatResponseUpdate> updates)
    {
        Assert.True(updates[0].CreatedAt > DateTimeOffset.UnixEpoch, "The first update has no time of creation.");
        Assert.All(updates, update => Assert.Equal(updates[0].CreatedAt, update.CreatedAt));
    }

    // A conversation id tells callers to send new messages only; a client that keeps nothing must never say so.
    private static void NothingOfAService(IReadOnlyList<ChatResponseUpdate> updates) => Assert.All(updates, update =>
    {
        Assert.Null(update.ConversationId);
        Assert.Null(update.ContinuationToken);
    });

    private static void FinishAtTheEnd(IReadOnlyList<ChatResponseUpdate> updates)
    {
        Assert.All(updates.SkipLast(1), update => Assert.Null(update.FinishReason));
        Assert.NotNull(updates[^1].FinishReason);
        Assert.Equal(updates[^1].FinishReason, updates.ToChatResponse().FinishReason);
    }

    // Usage is summed over the updates.
    private static void UsageOnce(IReadOnlyList<ChatResponseUpdate> updates) => Assert.Single(Contents<UsageContent>(updates));

    private static void UsageAddsUp(IReadOnlyList<ChatResponseUpdate> updates)
    {
        UsageDetails usage = Assert.IsType<UsageDetails>(updates.ToChatResponse().Usage);
        Assert.True(usage.InputTokenCount > 0, $"The prompt has {usage.InputTokenCount} tokens.");
        Assert.True(usage.OutputTokenCount > 0, $"The reply has {usage.OutputTokenCount} tokens.");
        Assert.Equal(usage.InputTokenCount + usage.OutputTokenCount, usage.TotalTokenCount);
        Assert.InRange(usage.CachedInputTokenCount ?? 0, 0, usage.InputTokenCount!.Value);
        Assert.InRange(usage.ReasoningTokenCount ?? 0, 0, usage.OutputTokenCount!.Value);
    }

    // The first update of any kind is taken for the first token.
    private static void NoEmptyUpdate(IReadOnlyList<ChatResponseUpdate> updates)
    {
        Assert.All(updates, update => Assert.NotEmpty(update.Contents));
        Assert.All(Contents<TextContent>(updates), content => Assert.NotEqual("", content.Text));
    }

    private static void WholeCharacters(IReadOnlyList<ChatResponseUpdate> updates)
    {
        UTF8Encoding strict = new(false, throwOnInvalidBytes: true);
        Assert.All(Contents<TextContent>(updates), content =>
        {
            Assert.DoesNotContain('\uFFFD', content.Text);
            Assert.Null(Record.Exception(() => strict.GetByteCount(content.Text)));
        });
    }

    // Only text without annotations is joined to the text before it.
    private static void OneText(IReadOnlyList<ChatResponseUpdate> updates) => Assert.InRange(
        updates.ToChatResponse().Messages.Sum(message => message.Contents.OfType<TextContent>().Count()), 0, 1);

    // Middleware holds back all that follows the first call.
    private static void CallsBehindText(IReadOnlyList<ChatResponseUpdate> updates)
    {
        AIContent[] contents = [.. Contents<AIContent>(updates)];
        int lastText = Array.FindLastIndex(contents, content => content is TextContent);
        int firstCall = Array.FindIndex(contents, content => content is FunctionCallContent);
        Assert.True(firstCall < 0 || lastText < firstCall, "Text comes behind a call.");
    }

    private static void WholeCalls(IReadOnlyList<ChatResponseUpdate> updates)
    {
        FunctionCallContent[] calls = [.. Contents<FunctionCallContent>(updates)];
        Assert.All(calls, call =>
        {
            Assert.NotEqual("", call.CallId);
            Assert.NotEqual("", call.Name);
            Assert.True(
                (call.Arguments is null) == (call.Exception is not null),
                $"The call of {call.Name} has neither or both of arguments and an error.");
        });
        Assert.Equal(calls.Length, calls.Select(call => call.CallId).Distinct().Count());
    }

    // A limit may cut a reply behind its first call.
    private static void CallsAreTheReason(IReadOnlyList<ChatResponseUpdate> updates)
    {
        ChatFinishReason? reason = updates[^1].FinishReason;
        bool calls = Contents<FunctionCallContent>(updates).Any();
        Assert.True(
            !calls || reason == ChatFinishReason.ToolCalls || reason == ChatFinishReason.Length,
            $"A reply with calls ends with {reason}.");
        Assert.True(calls || reason != ChatFinishReason.ToolCalls, "A reply without calls ends with tool_calls.");
    }

    // Of two values under one key the sum keeps one.
    private static void PropertyOnce(IReadOnlyList<ChatResponseUpdate> updates)
    {
        string[] keys = [.. updates.SelectMany(update => update.AdditionalProperties?.Keys ?? [])];
        Assert.Equal(keys.Length, keys.Distinct(StringComparer.OrdinalIgnoreCase).Count());
    }

    private static void ErrorsAreThrown(IReadOnlyList<ChatResponseUpdate> updates) => Assert.Empty(Contents<ErrorContent>(updates));

    private static IEnumerable<T> Contents<T>(IReadOnlyList<ChatResponseUpdate> updates)
        where T : AIContent => updates.SelectMany(update => update.Contents).OfType<T>();
}
