using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace KimiLinear.Extensions.AI;

/// <summary>Writes JSON with a space after each comma and colon, the form in which the model saw arguments and results.</summary>
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
                    builder.Append(separator).Append('"').Append(JsonEncodedText.Encode(property.Name, JavaScriptEncoder.UnsafeRelaxedJsonEscaping)).Append("\": ");
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
                builder.Append('"').Append(JsonEncodedText.Encode(element.GetString()!, JavaScriptEncoder.UnsafeRelaxedJsonEscaping)).Append('"');
                break;
            default:
                builder.Append(element.GetRawText());
                break;
        }
    }
}
