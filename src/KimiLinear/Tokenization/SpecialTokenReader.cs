using System.Globalization;
using System.Text.Json;

namespace KimiLinear.Tokenization;

/// <summary>Names the special ids, from <c>tokenizer_config.json</c> where there is one.</summary>
internal static class SpecialTokenReader
{
    /// <summary>The number of special ids that follow the ordinary ones.</summary>
    public const int Count = 256;

    // The published tokenizer hands out two ids more than the embedding has rows; a saved configuration may name them.
    private const int CountWithRowless = Count + 2;

    private const string NamesProperty = "added_tokens_decoder";

    // The layout of the published vocabulary, counted from the first special id.
    private static readonly (int Offset, string Name)[] PublishedNames =
    [
        (0, "[BOS]"), (1, "[EOS]"), (2, "<|im_end|>"), (3, "<|im_user|>"), (4, "<|im_assistant|>"),
        (6, "<|start_header_id|>"), (7, "<|end_header_id|>"), (9, "[EOT]"), (10, "<|im_system|>"),
        (11, "<|tool_calls_section_begin|>"), (12, "<|tool_calls_section_end|>"), (13, "<|tool_call_begin|>"),
        (14, "<|tool_call_argument_begin|>"), (15, "<|tool_call_end|>"), (17, "<|im_middle|>"),
        (254, "[UNK]"), (255, "[PAD]"),
    ];

    /// <summary>Gets the name of every special id, <see cref="Count"/> of them, the lowest id first.</summary>
    /// <param name="path">The file, which may be missing: then the published names hold.</param>
    /// <param name="firstId">The lowest special id, which is the number of ordinary tokens.</param>
    /// <exception cref="TokenizerFormatException">The file is damaged.</exception>
    public static string[] Read(string path, int firstId)
    {
        string?[] names = new string?[Count];
        if (!File.Exists(path) || !TryReadNames(path, firstId, names))
        {
            foreach ((int offset, string name) in PublishedNames)
            {
                names[offset] = name;
            }
        }

        HashSet<string> seen = new(StringComparer.Ordinal);
        for (int i = 0; i < names.Length; i++)
        {
            string name = names[i] ??= ReservedName(firstId + i);
            if (!seen.Add(name))
            {
                throw Damaged(path, $"names the special token '{name}' twice, the second time for id {firstId + i}");
            }
        }

        return names!;
    }

    /// <summary>The name of an id that has none of its own.</summary>
    public static string ReservedName(int id) => string.Create(CultureInfo.InvariantCulture, $"<|reserved_token_{id}|>");

    private static bool TryReadNames(string path, int firstId, string?[] names)
    {
        try
        {
            using FileStream file = File.OpenRead(path);
            using JsonDocument document = JsonDocument.Parse(file);
            if (document.RootElement.ValueKind != JsonValueKind.Object)
            {
                throw Damaged(path, $"must hold a JSON object, but holds {document.RootElement.ValueKind}");
            }

            if (!document.RootElement.TryGetProperty(NamesProperty, out JsonElement entries))
            {
                return false;
            }

            if (entries.ValueKind != JsonValueKind.Object)
            {
                throw Damaged(path, $"must hold an object in {NamesProperty}, but holds {entries.ValueKind}");
            }

            foreach (JsonProperty entry in entries.EnumerateObject())
            {
                ReadEntry(path, entry, firstId, names);
            }

            return true;
        }
        catch (JsonException exception)
        {
            throw Damaged(path, $"is not valid JSON ({exception.Message.TrimEnd('.')})", exception);
        }
        catch (InvalidOperationException exception)
        {
            // How JsonElement reports a string that escapes half a surrogate pair.
            throw Damaged(path, $"holds text that is not valid Unicode ({exception.Message.TrimEnd('.')})", exception);
        }
    }

    private static void ReadEntry(string path, JsonProperty entry, int firstId, string?[] names)
    {
        if (!int.TryParse(entry.Name, NumberStyles.None, CultureInfo.InvariantCulture, out int id)
            || id < firstId
            || id >= firstId + CountWithRowless)
        {
            throw Damaged(
                path,
                $"must name ids from {firstId} to {firstId + Count - 1} in {NamesProperty}, the {Count} that follow "
                + $"tiktoken.model's, but names '{entry.Name}'");
        }

        if (entry.Value.ValueKind != JsonValueKind.Object
            || !entry.Value.TryGetProperty("content", out JsonElement content)
            || content.ValueKind != JsonValueKind.String
            || content.GetString() is not { Length: > 0 } name)
        {
            throw Damaged(path, $"must give id {id} in {NamesProperty} a text called content, but gives {Shorten(entry.Value)}");
        }

        int index = id - firstId;
        if (index >= Count)
        {
            return;
        }

        if (names[index] is not null)
        {
            throw Damaged(path, $"names id {id} twice in {NamesProperty}, the second time '{name}'");
        }

        names[index] = name;
    }

    private static string Shorten(JsonElement value)
    {
        const int ShownChars = 80;
        string text = value.GetRawText().ReplaceLineEndings(" ");
        return text.Length > ShownChars ? text[..ShownChars] + "…" : text;
    }

    private static TokenizerFormatException Damaged(string path, string complaint, Exception? cause = null) =>
        new($"'{path}' {complaint}. Download the file again, or remove it to use the published names.", path, cause);
}
