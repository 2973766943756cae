using System.Text.Json;

namespace KimiLinear.ToolCalls;

/// <summary>A JSON value together with its place in the document, so that an error can name the place.</summary>
/// <param name="Element">The value.</param>
/// <param name="Path">The place, such as <c>messages[3].tool_calls[0]</c>.</param>
internal readonly record struct JsonField(JsonElement Element, string Path)
{
    /// <summary>A member that must be there; it may be null.</summary>
    /// <exception cref="JsonException">It is missing, or this is no object.</exception>
    public JsonField Required(string name)
    {
        JsonField field = new(default, Join(name));
        return Member(name) is { } value ? field with { Element = value } : throw field.Error("is missing");
    }

    /// <summary>A member that may be missing or null, both giving <see langword="null"/>.</summary>
    /// <exception cref="JsonException">This is no object.</exception>
    public JsonField? Optional(string name) =>
        Member(name) is { ValueKind: not JsonValueKind.Null } value ? new JsonField(value, Join(name)) : null;

    /// <summary>Whether there is such a member, null or not.</summary>
    /// <exception cref="JsonException">This is no object.</exception>
    public bool Has(string name) => Member(name) is not null;

    /// <summary>The items of an array.</summary>
    /// <exception cref="JsonException">This is no array.</exception>
    public IReadOnlyList<JsonField> Items()
    {
        if (Element.ValueKind != JsonValueKind.Array)
        {
            throw Error($"must be an array, but is {Describe(Element)}");
        }

        string path = Path;
        return [.. Element.EnumerateArray().Select((item, index) => new JsonField(item, $"{path}[{index}]"))];
    }

    /// <summary>The text of a string.</summary>
    /// <exception cref="JsonException">This is no string, or not valid text.</exception>
    public string AsString()
    {
        if (Element.ValueKind != JsonValueKind.String)
        {
            throw Error($"must be a string, but is {Describe(Element)}");
        }

        try
        {
            return PythonJson.ReadString(Element);
        }
        catch (JsonException exception)
        {
            throw Error("holds half of a surrogate pair, which no text can hold", exception);
        }
    }

    /// <summary>True or false.</summary>
    /// <exception cref="JsonException">This is neither.</exception>
    public bool AsBoolean() => Element.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => throw Error($"must be true or false, but is {Describe(Element)}"),
    };

    /// <summary>An exception whose message names this place and says <paramref name="problem"/>.</summary>
    public JsonException Error(string problem, Exception? cause = null)
    {
        string message = $"{(Path.Length == 0 ? "The request" : Path)} {problem}.";
        return new JsonException(message, Path, null, null, cause);
    }

    /// <summary>What kind of value <paramref name="element"/> is, in words.</summary>
    public static string Describe(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "an array",
        JsonValueKind.String => "a string",
        JsonValueKind.Number => "a number",
        JsonValueKind.True or JsonValueKind.False => "a Boolean",
        _ => "null",
    };

    private JsonElement? Member(string name)
    {
        if (Element.ValueKind != JsonValueKind.Object)
        {
            throw Error($"must be an object, but is {Describe(Element)}");
        }

        try
        {
            return Element.TryGetProperty(name, out JsonElement value) ? value : null;
        }
        catch (InvalidOperationException exception)
        {
            // The search reads the other names on its way.
            throw Error("holds a name with half of a surrogate pair, which no text can hold", exception);
        }
    }

    private string Join(string name) => Path.Length == 0 ? name : $"{Path}.{name}";
}
