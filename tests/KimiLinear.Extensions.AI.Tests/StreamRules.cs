using System.Text;
using Microsoft.Extensions.AI;
using Xunit;

namespace KimiLinear.Extensions.AI.Tests;

/// <summary>What the updates of a reply must be like for middleware to put them together, for any chat client.</summary>
internal static class StreamRules
{
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
        Assert.NotEmpty(updates);
        CheckIdentity(updates);
        CheckOrder(updates);
        CheckText(updates);
        ChatResponse response = updates.ToChatResponse();
        CheckSum(updates, response);
        return response;
    }

    private static void CheckIdentity(IReadOnlyList<ChatResponseUpdate> updates)
    {
        ChatResponseUpdate first = updates[0];
        Assert.False(string.IsNullOrEmpty(first.MessageId));
        Assert.False(string.IsNullOrEmpty(first.ResponseId));
        Assert.False(string.IsNullOrEmpty(first.ModelId));
        Assert.True(first.CreatedAt > DateTimeOffset.UnixEpoch);
        Assert.All(updates, update =>
        {
            Assert.Equal(ChatRole.Assistant, update.Role);
            Assert.Equal(first.MessageId, update.MessageId);
            Assert.Equal(first.ResponseId, update.ResponseId);
            Assert.Equal(first.ModelId, update.ModelId);
            Assert.Equal(first.CreatedAt, update.CreatedAt);
            Assert.Null(update.ConversationId);
            Assert.Null(update.AuthorName);
            Assert.Null(update.ContinuationToken);
        });
    }

    private static void CheckOrder(IReadOnlyList<ChatResponseUpdate> updates)
    {
        Assert.All(updates.SkipLast(1), update => Assert.Null(update.FinishReason));
        Assert.NotNull(updates[^1].FinishReason);
        Assert.All(updates, update => Assert.NotEmpty(update.Contents));
        AIContent[] contents = [.. updates.SelectMany(update => update.Contents)];
        Assert.Single(contents.OfType<UsageContent>());
        int lastText = Array.FindLastIndex(contents, content => content is TextContent);
        int firstCall = Array.FindIndex(contents, content => content is FunctionCallContent);
        Assert.True(firstCall < 0 || lastText < firstCall, "Text must come before calls.");
    }

    private static void CheckText(IReadOnlyList<ChatResponseUpdate> updates)
    {
        UTF8Encoding strict = new(false, throwOnInvalidBytes: true);
        foreach (string text in updates.SelectMany(update => update.Contents).OfType<TextContent>().Select(
            content => content.Text))
        {
            Assert.NotEqual("", text);
            Assert.DoesNotContain('\uFFFD', text);
            Assert.True(strict.GetByteCount(text) > 0);
        }
    }

    private static void CheckSum(IReadOnlyList<ChatResponseUpdate> updates, ChatResponse response)
    {
        ChatMessage message = Assert.Single(response.Messages);
        Assert.InRange(message.Contents.OfType<TextContent>().Count(), 0, 1);
        Assert.Equal(string.Concat(updates.Select(update => update.Text)), message.Text);
        Assert.Equal(updates[^1].FinishReason, response.FinishReason);
        FunctionCallContent[] calls = [.. message.Contents.OfType<FunctionCallContent>()];
        Assert.Equal(calls.Length, calls.Select(call => call.CallId).Distinct().Count());
        Assert.True(calls.Length == 0 || response.FinishReason != ChatFinishReason.Stop,
            "A reply with calls must not end with Stop.");
        UsageDetails usage = response.Usage!;
        Assert.True(usage.InputTokenCount > 0);
        Assert.True(usage.OutputTokenCount > 0);
        Assert.Equal(usage.InputTokenCount + usage.OutputTokenCount, usage.TotalTokenCount);
    }
}
