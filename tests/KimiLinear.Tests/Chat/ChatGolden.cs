using System.Runtime.CompilerServices;
using System.Text.Json;
using KimiLinear.Chat;

namespace KimiLinear.Tests.Chat;

/// <summary>Conversations rendered by the published template, and prompts of the small model.</summary>
internal static class ChatGolden
{
    public static IReadOnlyList<(ChatPrompt Prompt, string Rendered)> Rendered { get; } =
        [.. Lines("chat_template.jsonl").Select(line => (ChatPrompt.FromJson(line), line.GetProperty("rendered").GetString()!))];

    public static IReadOnlyList<(ChatPrompt Prompt, int[] PromptIds, string Reply)> Encoded { get; } =
        [.. Lines("tiny", "greedy.jsonl").Select(line => (
            ChatPrompt.FromJson(line),
            line.GetProperty("prompt_ids").EnumerateArray().Select(id => id.GetInt32()).ToArray(),
            line.GetProperty("reply_text").GetString()!))];

    private static IEnumerable<JsonElement> Lines(params ReadOnlySpan<string> path) =>
        File.ReadLines(Path.Combine([Root(), .. path])).Select(line => JsonElement.Parse(line));

    private static string Root([CallerFilePath] string here = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "..", "..", "golden"));
}
