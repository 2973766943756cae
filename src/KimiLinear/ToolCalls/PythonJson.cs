using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;

namespace KimiLinear.ToolCalls;

/// <summary>
/// Writes JSON as Python's <c>json.dumps(…, ensure_ascii=False)</c> writes what <c>json.loads</c> has read: the model saw that
/// text.
/// </summary>
internal static class PythonJson
{
    /// <summary>No spaces, keys sorted by code point at every depth: how tools are declared.</summary>
    /// <exception cref="JsonException">A string or key holds half of a surrogate pair.</exception>
    public static string WriteSorted(JsonElement element) => Write(element, ",", ":", sortsKeys: true);

    /// <summary>A space after each comma and colon, keys in their order: Python's default.</summary>
    /// <exception cref="JsonException">A string or key holds half of a surrogate pair.</exception>
    public static string WriteSpaced(JsonElement element) => Write(element, ", ", ": ", sortsKeys: false);

    /// <summary>A string's value; the framework's own reader throws a less telling exception for half surrogate pairs.</summary>
    /// <exception cref="JsonException">The string holds half of a surrogate pair.</exception>
    public static string ReadString(JsonElement element)
    {
        try
        {
            return element.GetString()!;
        }
        catch (InvalidOperationException exception)
        {
            throw HalfSurrogate(exception);
        }
    }

    private static string Write(JsonElement element, string comma, string colon, bool sortsKeys)
    {
        StringBuilder json = new();
        Append(element);
        return json.ToString();

        void Append(JsonElement value)
        {
            RuntimeHelpers.EnsureSufficientExecutionStack();
            switch (value.ValueKind)
            {
                case JsonValueKind.Object:
                    AppendObject(value);
                    break;
                case JsonValueKind.Array:
                    AppendArray(value);
                    break;
                case JsonValueKind.String:
                    AppendString(json, ReadString(value));
                    break;
                case JsonValueKind.Number:
                    json.Append(PythonNumber.Format(value.GetRawText()));
                    break;
                default:
                    json.Append(value.ValueKind switch
                    {
                        JsonValueKind.True => "true",
                        JsonValueKind.False => "false",
                        _ => "null",
                    });
                    break;
            }
        }

        void AppendObject(JsonElement value)
        {
            // a repeated key keeps its first place and takes its last value, as in a Python dictionary
            OrderedDictionary<string, JsonElement> members = new(StringComparer.Ordinal);
            foreach (JsonProperty member in value.EnumerateObject())
            {
                members[ReadName(member)] = member.Value;
            }

            IEnumerable<KeyValuePair<string, JsonElement>> ordered =
                sortsKeys ? members.OrderBy(member => member.Key, Comparer<string>.Create(CompareCodePoints)) : members;
            string separator = "";
            json.Append('{');
            foreach ((string key, JsonElement item) in ordered)
            {
                json.Append(separator);
                AppendString(json, key);
                json.Append(colon);
                Append(item);
                separator = comma;
            }

            json.Append('}');
        }

        void AppendArray(JsonElement value)
        {
            string separator = "";
            json.Append('[');
            foreach (JsonElement item in value.EnumerateArray())
            {
                json.Append(separator);
                Append(item);
                separator = comma;
            }

            json.Append(']');
        }
    }

    private static string ReadName(JsonProperty member)
    {
        try
        {
            return member.Name;
        }
        catch (InvalidOperationException exception)
        {
            throw HalfSurrogate(exception);
        }
    }

    private static JsonException HalfSurrogate(InvalidOperationException cause) =>
        new("A JSON string holds half of a surrogate pair, or bytes that are not UTF-8, which no text can hold.", cause);

    private static void AppendString(StringBuilder json, string value)
    {
        json.Append('"');
        foreach (char c in value)
        {
            switch (c)
            {
                case '"':
                    json.Append("\\\"");
                    break;
                case '\\':
                    json.Append("\\\\");
                    break;
                case '\n':
                    json.Append("\\n");
                    break;
                case '\r':
                    json.Append("\\r");
                    break;
                case '\t':
                    json.Append("\\t");
                    break;
                case '\b':
                    json.Append("\\b");
                    break;
                case '\f':
                    json.Append("\\f");
                    break;
                case < ' ':
                    json.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}");
                    break;
                default:
                    json.Append(c);
                    break;
            }
        }

        json.Append('"');
    }

    // Ordinal comparison of UTF-16 puts surrogate pairs before U+E000 to U+FFFF; code points go the other way round.
    private static int CompareCodePoints(string left, string right)
    {
        int common = left.AsSpan().CommonPrefixLength(right);
        if (common == left.Length || common == right.Length)
        {
            return left.Length.CompareTo(right.Length);
        }

        (char a, char b) = (left[common], right[common]);
        return char.IsSurrogate(a) == char.IsSurrogate(b) ? a.CompareTo(b) : char.IsSurrogate(a) ? 1 : -1;
    }
}
