using System.Text.Json.Nodes;
using KimiLinear.Generation;

namespace KimiServer.Replies;

/// <summary>One continued text, whole or in chunks. OpenAI's client has no types for it any more.</summary>
internal sealed class CompletionReply(string model)
{
    private readonly string _id = $"cmpl-{Guid.NewGuid():N}";
    private readonly DateTimeOffset _createdAt = DateTimeOffset.UtcNow;

    /// <summary>A piece of text, or all of it; the reason is <see langword="null"/> until the end.</summary>
    public JsonObject Text(string text, FinishReason? reason) => New(new JsonArray(new JsonObject
    {
        ["index"] = 0,
        ["text"] = text,
        ["logprobs"] = null,
        ["finish_reason"] = reason switch
        {
            null => null,
            FinishReason.EndOfText or FinishReason.StopSequence => "stop",
            _ => "length",
        },
    }));

    /// <summary>The chunk after the last: how many tokens there were.</summary>
    public JsonObject Usage(int promptTokens, GeneratedCount generated) => AddUsage(New([]), promptTokens, generated);

    public static JsonObject AddUsage(JsonObject json, int promptTokens, GeneratedCount generated)
    {
        json["usage"] = new JsonObject
        {
            ["prompt_tokens"] = promptTokens,
            ["completion_tokens"] = generated.Tokens,
            ["total_tokens"] = promptTokens + generated.Tokens,
            ["prompt_tokens_details"] = new JsonObject { ["cached_tokens"] = generated.CachedPromptTokens },
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

/// <summary>How many tokens were generated, and how many of the prompt were not read again.</summary>
internal readonly record struct GeneratedCount(int Tokens, int CachedPromptTokens);
