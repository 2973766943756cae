using System.Globalization;
using System.Text;
using System.Text.Json;

namespace KimiLinear.Extensions.AI;

/// <summary>Writes JSON as the model saw it: a space after each comma and colon, no character escaped without need.</summary>
internal static class SpacedJson
{
    public static string Write(JsonElement element)
    {
        StringBuilder builder = new();
        Write(element, builder);
        return builder.ToString();
    }

    private static void Write(JsonElement element, StringBuilder builder)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.Object:
                builder.Append('{');
                string separator = "";
                foreach (JsonProperty property in element.EnumerateObject())
                {
                    builder.Append(separator);
                    WriteString(property.Name, builder);
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
            case JsonValueKind.String:
                WriteString(element.GetString()!, builder);
                break;
            default:
                builder.Append(element.GetRawText());
                break;
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
