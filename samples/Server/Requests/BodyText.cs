using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Unicode;
using KimiServer.Hosting;

namespace KimiServer.Requests;

/// <summary>Looks for strings and names that are no text: those who read them later would fail wherever they meet one.</summary>
internal static class BodyText
{
    /// <summary>Refuses a body that holds half a character, and says where.</summary>
    public static void Require(JsonElement body)
    {
        // Only an escape can stand for half a character where the bytes are UTF-8.
        ReadOnlySpan<byte> bytes = JsonMarshal.GetRawUtf8Value(body);
        if (!Utf8.IsValid(bytes) || bytes.IndexOf("\\u"u8) >= 0)
        {
            Require(body, "");
        }
    }

    // A body that was parsed is nested 64 deep at most.
    private static void Require(JsonElement value, string place)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.String when !IsText(() => value.GetString()):
                throw Refuse($"'{place}'", place);
            case JsonValueKind.Array:
                int index = 0;
                foreach (JsonElement item in value.EnumerateArray())
                {
                    Require(item, $"{place}[{index++}]");
                }

                break;
            case JsonValueKind.Object:
                foreach (JsonProperty property in value.EnumerateObject())
                {
                    if (!IsText(() => property.Name))
                    {
                        throw Refuse($"A name in {(place.Length == 0 ? "the body" : $"'{place}'")}", place);
                    }

                    Require(property.Value, place.Length == 0 ? property.Name : $"{place}.{property.Name}");
                }

                break;
        }
    }

    private static bool IsText(Func<string?> read)
    {
        try
        {
            return read() is not null;
        }
        catch (InvalidOperationException)
        {
            return false;
        }
    }

    private static ApiException Refuse(string what, string place) => ApiException.Invalid(
        $"{what} holds half a character: a lone surrogate, or bytes that are not UTF-8.", place.Length == 0 ? null : place);
}
