using System.Text.Json;
using KimiLinear.Generation;
using KimiLinear.ToolCalls;
using Microsoft.Extensions.AI;

namespace KimiLinear.Extensions.AI;

/// <summary>Builds the updates of one reply, which all carry the same identity.</summary>
internal sealed class ReplyUpdates(string modelId, CallIds callIds)
{
    private readonly string _responseId = $"resp_{Guid.NewGuid():N}";
    private readonly string _messageId = $"msg_{Guid.NewGuid():N}";
    private readonly DateTimeOffset _createdAt = DateTimeOffset.UtcNow;
    private readonly List<AIContent> _calls = [];

    /// <summary>Whole calls so far; they are sent at the end, after all text.</summary>
    public int CallCount => _calls.Count;

    public ChatResponseUpdate Text(string text) => New([new TextContent(text)]);

    /// <summary>Keeps a call for the end.</summary>
    public void Add(ToolCall call)
    {
        FunctionCallContent content = FunctionCallContent.CreateFromParsedArguments(
            call.Arguments, callIds.Assign(call), call.Name, ParseArguments);
        content.RawRepresentation = call;
        _calls.Add(content);
    }

    /// <summary>The calls, if there are any, the usage, the timings and why the reply ended.</summary>
    public ChatResponseUpdate Last(int promptTokens, int generatedTokens, ChatFinishReason reason, GenerationTimings? timings)
    {
        UsageDetails usage = new()
        {
            InputTokenCount = promptTokens,
            OutputTokenCount = generatedTokens,
            TotalTokenCount = promptTokens + generatedTokens,
            CachedInputTokenCount = timings?.CachedPromptTokenCount,
        };
        ChatResponseUpdate update = New([.. _calls, new UsageContent(usage)]);
        update.FinishReason = reason;
        if (timings is not null)
        {
            update.AdditionalProperties = new AdditionalPropertiesDictionary
            {
                [KimiLinearChatClient.TimeToFirstTokenProperty] = timings.TimeToFirstToken.TotalSeconds,
                [KimiLinearChatClient.PrefillSpeedProperty] = timings.PrefillTokensPerSecond,
                [KimiLinearChatClient.DecodeSpeedProperty] = timings.DecodeTokensPerSecond,
            };
        }

        return update;
    }

    private ChatResponseUpdate New(IList<AIContent> contents) => new(ChatRole.Assistant, contents)
    {
        ResponseId = _responseId,
        MessageId = _messageId,
        CreatedAt = _createdAt,
        ModelId = modelId,
    };

    private static IDictionary<string, object?>? ParseArguments(string arguments)
    {
        using JsonDocument document = JsonDocument.Parse(arguments);
        if (document.RootElement.ValueKind != JsonValueKind.Object)
        {
            throw new JsonException(
                $"The arguments must be a JSON object, but the model wrote {document.RootElement.ValueKind}.");
        }

        Dictionary<string, object?> values = [];
        foreach (JsonProperty property in document.RootElement.EnumerateObject())
        {
            values[property.Name] = property.Value.Clone();
        }

        return values;
    }
}
