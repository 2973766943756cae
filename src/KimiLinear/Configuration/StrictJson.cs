using System.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace KimiLinear.Configuration;

/// <summary>Parses the small JSON files of a model, whole or not at all: every name and string in them is real text.</summary>
internal static class StrictJson
{
    private static readonly JsonDocumentOptions Options = new() { AllowDuplicateProperties = false };

    /// <summary>Parses a whole file; a byte order mark in front is skipped.</summary>
    /// <exception cref="JsonException">It is not JSON, repeats a name, or holds bytes or escapes that are no text.</exception>
    public static JsonElement Parse(ReadOnlySpan<byte> utf8Json)
    {
        if (utf8Json.StartsWith(Encoding.UTF8.Preamble))
        {
            utf8Json = utf8Json[Encoding.UTF8.Preamble.Length..];
        }

        RequireText(utf8Json);
        using JsonDocument document = JsonDocument.Parse(utf8Json.ToArray(), Options);
        return document.RootElement.Clone();
    }

    // The parser looks into strings only when they are read, and then complains with another exception.
    private static void RequireText(ReadOnlySpan<byte> utf8Json)
    {
        if (!Utf8.IsValid(utf8Json))
        {
            throw new JsonException("It is not UTF-8 text.");
        }

        Utf8JsonReader reader = new(utf8Json);
        try
        {
            while (reader.Read())
            {
                if (reader.TokenType is JsonTokenType.String or JsonTokenType.PropertyName)
                {
                    _ = reader.GetString();
                }
            }
        }
        catch (InvalidOperationException exception)
        {
            throw new JsonException("It holds an escape that is no character.", exception);
        }
    }
}
