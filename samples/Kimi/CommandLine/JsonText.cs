using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Kimi.CommandLine;

/// <summary>How the tool reads and writes JSON.</summary>
internal static class JsonText
{
    /// <summary>Text stays readable: only what JSON itself forbids is escaped.</summary>
    public static readonly JsonSerializerOptions Compact = Options(indented: false);

    public static readonly JsonSerializerOptions Indented = Options(indented: true);

    // A tool's schema may be nested deeper than the reader's default of 64.
    private static readonly JsonDocumentOptions Reading = new() { MaxDepth = 512 };

    /// <summary>Reads one JSON value.</summary>
    /// <param name="utf8">The text.</param>
    /// <param name="where">What holds it, to begin a message with: "Line 3".</param>
    /// <exception cref="CommandException">It is not JSON.</exception>
    public static JsonDocument Parse(ReadOnlyMemory<byte> utf8, string where)
    {
        if (utf8.Span.IndexOfAnyExcept(" \t\r\n"u8) < 0)
        {
            throw new CommandException($"{where} is empty, but must be JSON.");
        }

        try
        {
            return JsonDocument.Parse(utf8, Reading);
        }
        catch (JsonException exception)
        {
            throw NotJson(where, exception);
        }
    }

    /// <summary>A string's value.</summary>
    /// <exception cref="CommandException">The value is no string, or one that no text can be.</exception>
    public static string ReadString(JsonElement json, string where)
    {
        if (json.ValueKind != JsonValueKind.String)
        {
            throw new CommandException($"{where} must be a JSON string.");
        }

        try
        {
            return json.GetString()!;
        }
        catch (InvalidOperationException exception)
        {
            throw new CommandException($"{where} holds half of a surrogate pair or invalid UTF-8, which no text can.", exception);
        }
    }

    private static CommandException NotJson(string where, JsonException exception)
    {
        // The reader appends the place within the value, counted in its own lines.
        int end = exception.Message.IndexOf(" LineNumber: ", StringComparison.Ordinal);
        string reason = end > 0 ? exception.Message[..end] : exception.Message;
        string place = exception.BytePositionInLine is long position ? $" (at byte {position})" : "";
        return new CommandException($"{where} is not valid JSON: {reason}{place}", exception);
    }

    private static JsonSerializerOptions Options(bool indented) => new()
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        DefaultIgnoreCondition = JsonIgnoreCondition.Never,
        WriteIndented = indented,
    };
}
