using System.Text.Json;
using System.Text.Json.Nodes;
using KimiLinear.Extensions.AI;
using KimiLinear.ToolCalls;
using Microsoft.Extensions.AI;
using OpenAI.Chat;
using ChatFinishReason = OpenAI.Chat.ChatFinishReason;
using ChatMessageRole = OpenAI.Chat.ChatMessageRole;

namespace KimiServer.Replies;

/// <summary>One reply to a conversation, whole or in chunks, which all carry the same identity.</summary>
internal sealed class ChatReply(string model)
{
    private readonly string _id = $"chatcmpl-{Guid.NewGuid():N}";
    private readonly DateTimeOffset _createdAt = DateTimeOffset.UtcNow;

    /// <summary>The reply in one piece.</summary>
    public JsonObject Whole(ChatResponse response)
    {
        FunctionCallContent[] calls = [.. response.Messages.SelectMany(message => message.Contents).OfType<FunctionCallContent>()];
        JsonObject json = WireJson.Of(OpenAIChatModelFactory.ChatCompletion(
            _id,
            FinishReason(response.FinishReason),
            // Clients take a reply without calls for a text, be it empty.
            response.Text.Length > 0 || calls.Length == 0 ? new ChatMessageContent(response.Text) : null,
            toolCalls: calls.Select(
                call => ChatToolCall.CreateFunctionToolCall(call.CallId, call.Name, BinaryData.FromString(Arguments(call)))),
            role: ChatMessageRole.Assistant,
            createdAt: _createdAt,
            model: model,
            usage: Usage(response.Usage)));
        AddTimings(json, response.AdditionalProperties ?? response.Messages[^1].AdditionalProperties);
        return json;
    }

    /// <summary>The first chunk, which says who speaks.</summary>
    public JsonObject Begin() => Chunk(content: "", role: ChatMessageRole.Assistant);

    public JsonObject Text(string text) => Chunk(text);

    /// <summary>A call, which comes whole.</summary>
    public JsonObject Call(FunctionCallContent call, int index)
    {
        StreamingChatToolCallUpdate update = OpenAIChatModelFactory.StreamingChatToolCallUpdate(
            index, call.CallId, ChatToolCallKind.Function, call.Name, BinaryData.FromString(Arguments(call)));
        return WireJson.Of(OpenAIChatModelFactory.StreamingChatCompletionUpdate(
            _id, toolCallUpdates: [update], createdAt: _createdAt, model: model));
    }

    /// <summary>The last chunk of the reply: why it ended.</summary>
    public JsonObject End(Microsoft.Extensions.AI.ChatFinishReason? reason) => Chunk(finishReason: FinishReason(reason));

    /// <summary>The chunk after the last, of no choice: how many tokens there were, and how fast they came.</summary>
    public JsonObject Usage(ChatResponseUpdate last)
    {
        JsonObject json = WireJson.Of(OpenAIChatModelFactory.StreamingChatCompletionUpdate(
            _id,
            createdAt: _createdAt,
            model: model,
            usage: Usage(last.Contents.OfType<UsageContent>().Single().Details)));
        json["choices"] = new JsonArray();
        AddTimings(json, last.AdditionalProperties);
        return json;
    }

    private JsonObject Chunk(string? content = null, ChatMessageRole? role = null, ChatFinishReason? finishReason = null) =>
        WireJson.Of(OpenAIChatModelFactory.StreamingChatCompletionUpdate(
            _id,
            content is null ? null : new ChatMessageContent(content),
            role: role,
            finishReason: finishReason,
            createdAt: _createdAt,
            model: model));

    private static ChatFinishReason FinishReason(Microsoft.Extensions.AI.ChatFinishReason? reason) =>
        reason == Microsoft.Extensions.AI.ChatFinishReason.ToolCalls ? ChatFinishReason.ToolCalls
        : reason == Microsoft.Extensions.AI.ChatFinishReason.Length ? ChatFinishReason.Length
        : ChatFinishReason.Stop;

    // As the model wrote them, which need not be JSON.
    private static string Arguments(FunctionCallContent call) => call.RawRepresentation is ToolCall written
        ? written.Arguments
        : JsonSerializer.Serialize(call.Arguments, AIJsonUtilities.DefaultOptions);

    private static ChatTokenUsage? Usage(UsageDetails? usage) => usage is null ? null : OpenAIChatModelFactory.ChatTokenUsage(
        (int)(usage.OutputTokenCount ?? 0),
        (int)(usage.InputTokenCount ?? 0),
        (int)(usage.TotalTokenCount ?? 0),
        inputTokenDetails: OpenAIChatModelFactory.ChatInputTokenUsageDetails(
            cachedTokenCount: (int)(usage.CachedInputTokenCount ?? 0)));

    // Not part of OpenAI's interface, whose clients pass over it.
    private static void AddTimings(JsonObject json, AdditionalPropertiesDictionary? properties)
    {
        JsonObject timings = [];
        foreach (string name in (string[])
            [
                KimiLinearChatClient.TimeToFirstTokenProperty,
                KimiLinearChatClient.PrefillSpeedProperty,
                KimiLinearChatClient.DecodeSpeedProperty,
            ])
        {
            if (properties?.GetValueOrDefault(name) is double value && double.IsFinite(value))
            {
                timings[name] = value;
            }
        }

        if (timings.Count > 0)
        {
            json["timings"] = timings;
        }
    }
}
