using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;

namespace KimiLinear.Extensions.AI;

/// <summary>
/// Writes JSON as the model saw it: a space after each comma and colon, no character escaped without need. What holds half a
/// character stays as it was escaped.
/// </summary>
internal static class SpacedJson
{
    public static string Write(JsonElement element)
    {
        StringBuilder builder = new();
        Write(element, builder);
        return builder.ToString();
    }

    /// <summary>Writes an object of these properties.</summary>
    public static string Write(IEnumerable<KeyValuePair<string, JsonElement>> properties)
    {
        StringBuilder builder = new("{");
        foreach ((string name, JsonElement value) in properties)
        {
            builder.Append(builder.Length > 1 ? ", " : "");
            WriteString(name, builder);
            builder.Append(": ");
            Write(value, builder);
        }

        return builder.Append('}').ToString();
    }

    /// <summary>The text of a string, or null if it is none: it holds half a character.</summary>
    public static string? TextOf(JsonElement element)
    {
        try
        {
            return element.GetString();
        }
        catch (InvalidOperationException)
        {
            return null;
        }
    }

    private static void Write(JsonElement element, StringBuilder builder)
    {
        RuntimeHelpers.EnsureSufficientExecutionStack();
        switch (element.ValueKind)
        {
            case JsonValueKind.Object:
                builder.Append('{');
                string separator = "";
                foreach (JsonProperty property in element.EnumerateObject())
                {
                    builder.Append(separator);
                    WriteName(property, builder);
                    builder.Append(": ");
                    Write(property.Value, builder);
                    separator = ", ";
                }

                builder.Append('}');
                break;
            case JsonValueKind.Array:
                builder.Append('[');
                string comma = "";
                foreach (JsonElement item in element.EnumerateArray())
                {
                    builder.Append(comma);
                    Write(item, builder);
                    comma = ", ";
                }

                builder.Append(']');
                break;
            case JsonValueKind.String when TextOf(element) is { } text:
                WriteString(text, builder);
                break;
            case JsonValueKind.String:
                builder.Append(Encoding.UTF8.GetString(JsonMarshal.GetRawUtf8Value(element)));
                break;
            default:
                builder.Append(element.GetRawText());
                break;
        }
    }

    private static void WriteName(JsonProperty property, StringBuilder builder)
    {
        try
        {
            WriteString(property.Name, builder);
        }
        catch (InvalidOperationException)
        {
            builder.Append('"').Append(Encoding.UTF8.GetString(JsonMarshal.GetRawUtf8PropertyName(property))).Append('"');
        }
    }

    // The framework's most relaxed encoder still escapes everything beyond the basic plane, which the model never saw.
    private static void WriteString(string value, StringBuilder builder)
    {
        builder.Append('"');
        foreach (char character in value)
        {
            _ = character switch
            {
                '"' => builder.Append("\\\""),
                '\\' => builder.Append("\\\\"),
                '\n' => builder.Append("\\n"),
                '\r' => builder.Append("\\r"),
                '\t' => builder.Append("\\t"),
                < ' ' => builder.Append(CultureInfo.InvariantCulture, $"\\u{(int)character:x4}"),
                _ => builder.Append(character),
            };
        }

        builder.Append('"');
    }
}
