using System.Text.Json.Nodes;
using KimiLinear.Generation;

namespace KimiServer.Replies;

/// <summary>Continued texts, whole or in chunks. OpenAI's client has no types for them any more.</summary>
internal sealed class CompletionReply(string model)
{
    private readonly string _id = $"cmpl-{Guid.NewGuid():N}";
    private readonly DateTimeOffset _createdAt = DateTimeOffset.UtcNow;

    /// <summary>All texts, whole.</summary>
    public JsonObject Whole(IEnumerable<(string Text, FinishReason? Reason)> texts, CompletionUsage usage) => AddUsage(
        New(new JsonArray([.. texts.Select((text, index) => Choice(index, text.Text, text.Reason))])), usage);

    /// <summary>A piece of one text; the reason is <see langword="null"/> until its end.</summary>
    public JsonObject Piece(int index, string text, FinishReason? reason) => New(new JsonArray(Choice(index, text, reason)));

    /// <summary>The chunk after the last: how many tokens there were.</summary>
    public JsonObject Usage(CompletionUsage usage) => AddUsage(New([]), usage);

    private static JsonObject Choice(int index, string text, FinishReason? reason) => new()
    {
        ["index"] = index,
        ["text"] = text,
        ["logprobs"] = null,
        ["finish_reason"] = reason switch
        {
            null => null,
            FinishReason.EndOfText or FinishReason.StopSequence => "stop",
            _ => "length",
        },
    };

    private static JsonObject AddUsage(JsonObject json, CompletionUsage usage)
    {
        json["usage"] = new JsonObject
        {
            ["prompt_tokens"] = usage.PromptTokens,
            ["completion_tokens"] = usage.GeneratedTokens,
            ["total_tokens"] = usage.PromptTokens + usage.GeneratedTokens,
            ["prompt_tokens_details"] = new JsonObject { ["cached_tokens"] = usage.CachedPromptTokens },
        };
        return json;
    }

    private JsonObject New(JsonArray choices) => new()
    {
        ["id"] = _id,
        ["object"] = "text_completion",
        ["created"] = _createdAt.ToUnixTimeSeconds(),
        ["model"] = model,
        ["choices"] = choices,
    };
}

/// <summary>How many tokens a request took; prompts count once, however many replies they have.</summary>
internal readonly record struct CompletionUsage(int PromptTokens, int GeneratedTokens, int CachedPromptTokens);
