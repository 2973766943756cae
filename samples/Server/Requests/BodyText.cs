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
        if ((!Utf8.IsValid(bytes) || bytes.IndexOf("\\u"u8) >= 0) && Find(body) is { } half)
        {
            // The place of what is in an object begins with a dot.
            string place = half.Place.Length == 0 ? "" : half.Place[1..];
            string what = !half.IsName ? $"'{place}'" : place.Length == 0 ? "A name in the body" : $"A name in '{place}'";
            throw ApiException.Invalid(
                $"{what} holds half a character: a lone surrogate, or bytes that are not UTF-8.", place.Length == 0 ? null : place);
        }
    }

    // A body that was parsed is nested 64 deep at most. Places are put together on the way back: on the way in, a name as long as
    // the body would be copied for each of millions of values.
    private static HalfCharacter? Find(JsonElement value)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.String:
                return IsText(value, static value => value.GetString()) ? null : new HalfCharacter("", IsName: false);
            case JsonValueKind.Array:
                int index = 0;
                foreach (JsonElement item in value.EnumerateArray())
                {
                    if (Find(item) is { } half)
                    {
                        return half with { Place = $"[{index}]{half.Place}" };
                    }

                    index++;
                }

                return null;
            case JsonValueKind.Object:
                foreach (JsonProperty property in value.EnumerateObject())
                {
                    if (!IsText(property, static property => property.Name))
                    {
                        return new HalfCharacter("", IsName: true);
                    }

                    if (Find(property.Value) is { } half)
                    {
                        return half with { Place = $".{property.Name}{half.Place}" };
                    }
                }

                return null;
            default:
                return null;
        }
    }

    private static bool IsText<T>(T value, Func<T, string?> read)
    {
        try
        {
            return read(value) is not null;
        }
        catch (InvalidOperationException)
        {
            return false;
        }
    }

    // Where half a character was found, seen from the value that was searched: in the text there, or in a name of the object there.
    private sealed record HalfCharacter(string Place, bool IsName);
}
