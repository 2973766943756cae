using System.Runtime.CompilerServices;
using System.Text.Json;
using KimiLinear.Tokenization;

namespace KimiLinear.Tests.Tokenization;

/// <summary>The small model's tokenizer and the vectors made for it with the regex and tiktoken packages.</summary>
internal static class TokenizerGolden
{
    public static string ModelFolder { get; } = Path.Combine(Root(), "samples", "models", "kimi-linear-tiny");

    public static KimiTokenizer Tokenizer { get; } = KimiTokenizer.Load(ModelFolder);

    public static IReadOnlyList<Line> Lines { get; } =
        [.. File.ReadLines(Path.Combine(Root(), "tests", "golden", "tokenizer.jsonl")).Select(Parse)];

    private static Line Parse(string json)
    {
        using JsonDocument document = JsonDocument.Parse(json);
        JsonElement root = document.RootElement;
        return new Line(
            root.GetProperty("text").GetString()!,
            [.. root.GetProperty("pieces").EnumerateArray().Select(piece => piece.GetString()!)],
            [.. root.GetProperty("ids_plain").EnumerateArray().Select(id => id.GetInt32())],
            [.. root.GetProperty("ids_with_special").EnumerateArray().Select(id => id.GetInt32())]);
    }

    private static string Root([CallerFilePath] string here = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "..", "..", ".."));

    internal sealed record Line(string Text, string[] Pieces, int[] IdsPlain, int[] IdsWithSpecial);
}
