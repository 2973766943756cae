using System.Text.Json;

namespace KimiLinear.Tests.TestSupport;

/// <summary>A conversation with the trained small model, and the reply the reference implementation gives greedily.</summary>
internal sealed record TinyConversation(int[] PromptIds, int[] ReplyIds)
{
    // Under this gap between the two best tokens, rounding may decide; see tests/golden/README.md.
    private const double SmallestSafeMargin = 0.02;

    /// <summary>The conversations whose replies do not hang on rounding.</summary>
    public static IEnumerable<TinyConversation> ReadAll() =>
        File.ReadLines(Path.Combine(Golden.Root, "tiny", "greedy.jsonl"))
            .Select(line => JsonDocument.Parse(line).RootElement)
            .Where(json => json.GetProperty("smallest_margin").GetDouble() > SmallestSafeMargin)
            .Select(json => new TinyConversation(Integers(json, "prompt_ids"), Integers(json, "reply_ids")));

    private static int[] Integers(JsonElement json, string name) =>
        [.. json.GetProperty(name).EnumerateArray().Select(value => value.GetInt32())];
}
