using System.Globalization;
using System.Text.Json;
using KimiServer.Hosting;
using Microsoft.AspNetCore.Http;

namespace KimiServer.Requests;

/// <summary>The fields of a JSON object, read one by one; a wrong type is answered by the field's name.</summary>
/// <param name="values">The object.</param>
/// <param name="path">Where it stands in the body, with a dot behind; empty for the body itself.</param>
internal sealed class RequestFields(JsonElement values, string path = "")
{
    /// <summary>Reads the body of a request, which must be one JSON object.</summary>
    public static async Task<RequestFields> ReadAsync(HttpContext context)
    {
        // A page elsewhere may send a body of any other type here without asking its browser's leave.
        if (!context.Request.HasJsonContentType())
        {
            throw new ApiException(
                StatusCodes.Status415UnsupportedMediaType,
                "invalid_request_error",
                "The body must be JSON. Send it with the header 'Content-Type: application/json'.",
                null,
                null);
        }

        try
        {
            using JsonDocument document = await JsonDocument.ParseAsync(
                context.Request.Body, cancellationToken: context.RequestAborted);
            if (document.RootElement.ValueKind == JsonValueKind.Object)
            {
                BodyText.Require(document.RootElement);
                return new RequestFields(document.RootElement.Clone());
            }

            throw ApiException.Invalid($"The body must be a JSON object, but is {NameOf(document.RootElement)}.");
        }
        catch (JsonException exception)
        {
            throw ApiException.Invalid($"The body is not JSON: {exception.Message}");
        }
    }

    /// <summary>Where the object stands in the body; empty for the body itself.</summary>
    public string Place => path.TrimEnd('.');

    /// <summary>The object itself.</summary>
    public JsonElement Json => values;

    /// <summary>A field's value, or <see langword="null"/> when it is missing or null.</summary>
    public JsonElement? Find(string name) =>
        values.TryGetProperty(name, out JsonElement value) && value.ValueKind != JsonValueKind.Null ? value : null;

    public JsonElement[] Array(string name) => Find(name) switch
    {
        null => [],
        { ValueKind: JsonValueKind.Array } array => [.. array.EnumerateArray()],
        { } other => throw Wrong(path + name, "an array", other),
    };

    /// <summary>An array of objects.</summary>
    public RequestFields[] Objects(string name) =>
    [
        .. Array(name).Select((item, index) => item.ValueKind == JsonValueKind.Object
            ? new RequestFields(item, $"{path}{name}[{index}].")
            : throw Wrong($"{path}{name}[{index}]", "an object", item)),
    ];

    public RequestFields? Object(string name) => Find(name) switch
    {
        null => null,
        { ValueKind: JsonValueKind.Object } inner => new RequestFields(inner, $"{path}{name}."),
        { } other => throw Wrong(path + name, "an object", other),
    };

    public string? Text(string name) => Find(name) is { } value ? TextOf(value, path + name) : null;

    public bool? Flag(string name) => Find(name) switch
    {
        null => null,
        { ValueKind: JsonValueKind.True } => true,
        { ValueKind: JsonValueKind.False } => false,
        { } other => throw Wrong(path + name, "true or false", other),
    };

    public float? Number(string name) => Find(name) switch
    {
        null => null,
        { ValueKind: JsonValueKind.Number } number when float.IsFinite(number.GetSingle()) => number.GetSingle(),
        { } other => throw Wrong(path + name, "a number", other),
    };

    public long? Whole(string name) => Find(name) switch
    {
        null => null,
        { ValueKind: JsonValueKind.Number } number when number.TryGetInt64(out long whole) => whole,
        { } other => throw Wrong(path + name, "a whole number", other),
    };

    /// <summary>A whole number from <paramref name="least"/> up that fits 32 bits.</summary>
    public int? Count(string name, int least) => Whole(name) switch
    {
        null => null,
        { } whole when whole >= least && whole <= int.MaxValue => (int)whole,
        { } other => throw ApiException.Invalid(
            $"'{path}{name}' must be a whole number, at least {least}, but is {other}.", path + name),
    };

    /// <summary>An object that maps token ids to numbers.</summary>
    public Dictionary<int, float>? NumberByTokenId(string name)
    {
        if (Find(name) is not { } found)
        {
            return null;
        }

        if (found.ValueKind != JsonValueKind.Object)
        {
            throw Wrong(path + name, "an object", found);
        }

        RequestFields inner = new(found, $"{path}{name}.");
        Dictionary<int, float> numbers = [];
        foreach (JsonProperty property in found.EnumerateObject())
        {
            if (!int.TryParse(property.Name, NumberStyles.None, CultureInfo.InvariantCulture, out int id))
            {
                throw ApiException.Invalid($"'{path}{name}' must map token ids, but holds '{property.Name}'.", path + name);
            }

            numbers[id] = inner.Number(property.Name) ?? 0;
        }

        return numbers;
    }

    /// <summary>A string, or an array of strings.</summary>
    public string[] Texts(string name) => Find(name) switch
    {
        null => [],
        { ValueKind: JsonValueKind.String } text => [TextOf(text, path + name)],
        { ValueKind: JsonValueKind.Array } array => [.. array.EnumerateArray().Select(item => TextOf(item, path + name))],
        { } other => throw Wrong(path + name, "a string or an array of strings", other),
    };

    /// <summary>What a value is, to complete "but is …".</summary>
    public static string NameOf(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.True or JsonValueKind.False => "true or false",
        JsonValueKind.Array => "an array",
        JsonValueKind.Object => "an object",
        JsonValueKind.String => "a string",
        JsonValueKind.Number => $"the number {value.GetRawText()}",
        _ => "null",
    };

    private static string TextOf(JsonElement value, string name) =>
        value.ValueKind == JsonValueKind.String ? value.GetString()! : throw Wrong(name, "a string", value);

    private static ApiException Wrong(string name, string expected, JsonElement value) =>
        ApiException.Invalid($"'{name}' must be {expected}, but is {NameOf(value)}.", name);
}
