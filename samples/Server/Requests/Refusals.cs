using System.Text.Json;
using KimiServer.Hosting;

namespace KimiServer.Requests;

/// <summary>Fields whose wish cannot be met: refused by name, because an answer that ignores them would be a wrong one.</summary>
internal sealed class Refusals(IReadOnlyDictionary<string, string> reasons)
{
    private const string NoLogProbabilities = "log probabilities are not computed. Leave it out.";
    private const string UseResponseFormat = "say in 'response_format' what the reply must look like.";
    private const string UseChat = "a text is continued as the model likes. Ask for a form at /v1/chat/completions.";
    private const string UseTools = "declare functions in 'tools' and choose with 'tool_choice'.";
    private const string OneReply = "a request gets one reply. Send as many requests as you want replies.";

    private const string BetweenTheEnds = "the reply ends where the model ends it, at 'stop' or at 'max_tokens'. Leave it out.";
    private const string UseLogitBias = "forbid or favour single tokens with 'logit_bias'.";

    // What vLLM has beyond OpenAI's interface, wherever a reply is asked for.
    private static readonly Dictionary<string, string> OfBoth = new()
    {
        ["ignore_eos"] = BetweenTheEnds,
        ["min_tokens"] = BetweenTheEnds,
        ["stop_token_ids"] = BetweenTheEnds,
        ["bad_words"] = UseLogitBias,
        ["allowed_token_ids"] = UseLogitBias,
        ["prompt_logprobs"] = NoLogProbabilities,
        ["use_beam_search"] = "the reply is drawn token by token. Leave it out.",
    };

    /// <summary>Those of a chat completion.</summary>
    public static Refusals OfChat { get; } = new(new Dictionary<string, string>(OfBoth)
    {
        ["n"] = OneReply,
        ["logprobs"] = NoLogProbabilities,
        ["top_logprobs"] = NoLogProbabilities,
        ["functions"] = UseTools,
        ["function_call"] = UseTools,
        ["audio"] = "the model writes text only. Leave it out.",
        ["guided_json"] = UseResponseFormat,
        ["guided_regex"] = UseResponseFormat,
        ["guided_choice"] = UseResponseFormat,
        ["guided_grammar"] = UseResponseFormat,
        ["structured_outputs"] = UseResponseFormat,
        ["continue_final_message"] = "the reply is a turn of its own. Continue a text at /v1/completions.",
    });

    /// <summary>Those of a completion.</summary>
    public static Refusals OfCompletion { get; } = new(new Dictionary<string, string>(OfBoth)
    {
        ["best_of"] = "replies are not compared with each other. Ask for several with 'n' and choose.",
        ["logprobs"] = NoLogProbabilities,
        ["response_format"] = UseChat,
        ["guided_json"] = UseChat,
        ["guided_regex"] = UseChat,
        ["guided_choice"] = UseChat,
        ["guided_grammar"] = UseChat,
        ["structured_outputs"] = UseChat,
        ["echo"] = "the reply does not repeat the prompt. Put it before the reply yourself.",
        ["suffix"] = "the model continues a text and does not fill a gap. Leave it out.",
    });

    public void Check(RequestFields fields)
    {
        foreach ((string name, string reason) in reasons)
        {
            if (fields.Find(name) is { } value && !IsHarmless(name, value))
            {
                throw ApiException.Invalid($"'{name}' is not supported: {reason}", name, "unsupported_parameter");
            }
        }
    }

    // Clients send some fields with the value that changes nothing.
    private static bool IsHarmless(string name, JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.False => true,
        JsonValueKind.Number when name is "n" or "best_of" => value.GetDouble() == 1,
        JsonValueKind.Number when name is "min_tokens" or "top_logprobs" => value.GetDouble() == 0,
        JsonValueKind.Object when name == "response_format" =>
            value.TryGetProperty("type", out JsonElement type) && type.ValueKind == JsonValueKind.String && type.ValueEquals("text"),
        JsonValueKind.String => value.ValueEquals(""),
        JsonValueKind.Array => value.GetArrayLength() == 0,
        _ => false,
    };
}
