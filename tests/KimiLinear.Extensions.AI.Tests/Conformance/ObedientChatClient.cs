using System.Runtime.CompilerServices;
using Microsoft.Extensions.AI;

namespace KimiLinear.Extensions.AI.Tests;

/// <summary>A client without a model that streams by the rules, for others to break them one by one.</summary>
internal class ObedientChatClient : IChatClient
{
    private const string Story = "Once upon a time there was a bear 🐻 and it was happy.";

    public virtual Task<ChatResponse> GetResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default) =>
        GetStreamingResponseAsync(messages, options, cancellationToken).ToChatResponseAsync(cancellationToken);

    public virtual IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(messages);
        return StreamAsync(Reply(options), cancellationToken);
    }

    public object? GetService(Type serviceType, object? serviceKey = null) => null;

    public void Dispose() => GC.SuppressFinalize(this);

    /// <summary>The updates of a reply: words or, where there is a tool, a word and two calls of it.</summary>
    protected virtual List<ChatResponseUpdate> Reply(ChatOptions? options)
    {
        List<ChatResponseUpdate> updates = [];
        ChatFinishReason reason = ChatFinishReason.Stop;
        List<AIContent> last = [];
        if (options?.Tools is [AIFunctionDeclaration tool, ..])
        {
            updates.Add(New(new TextContent("Wait.")));
            last.AddRange(Enumerable.Range(0, 2).Select(
                index => new FunctionCallContent($"functions.{tool.Name}:{index}", tool.Name, new Dictionary<string, object?>())));
            reason = ChatFinishReason.ToolCalls;
        }
        else
        {
            string[] words = Story.Split(' ');
            int count = Math.Min(words.Length, options?.MaxOutputTokens ?? int.MaxValue);
            updates.AddRange(words.Take(count).Select(word => New(new TextContent(word + " "))));
            reason = count < words.Length ? ChatFinishReason.Length : reason;
        }

        int tokens = updates.Count + last.Count;
        UsageDetails usage = new() { InputTokenCount = 10, OutputTokenCount = tokens, TotalTokenCount = 10 + tokens };
        ChatResponseUpdate end = New([.. last, new UsageContent(usage)]);
        end.FinishReason = reason;
        end.AdditionalProperties = new AdditionalPropertiesDictionary { ["speed"] = 1.5 };
        updates.Add(end);

        string message = $"msg_{Guid.NewGuid():N}";
        string response = $"resp_{Guid.NewGuid():N}";
        DateTimeOffset now = DateTimeOffset.UtcNow;
        foreach (ChatResponseUpdate update in updates)
        {
            (update.MessageId, update.ResponseId, update.CreatedAt) = (message, response, now);
        }

        return updates;
    }

    protected virtual async IAsyncEnumerable<ChatResponseUpdate> StreamAsync(
        List<ChatResponseUpdate> reply, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        foreach (ChatResponseUpdate update in reply)
        {
            await Task.Yield();
            cancellationToken.ThrowIfCancellationRequested();
            yield return update;
        }
    }

    private static ChatResponseUpdate New(params AIContent[] contents) => new(ChatRole.Assistant, [.. contents]) { ModelId = "none" };
}
