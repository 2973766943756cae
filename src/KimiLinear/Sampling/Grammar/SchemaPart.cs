using System.Globalization;
using System.Text.Json;

namespace KimiLinear.Sampling;

/// <summary>One schema object inside a schema, or a Boolean that stands for one.</summary>
/// <param name="Element">The schema.</param>
/// <param name="Pointer">Its place, as a JSON pointer with <c>#</c> before it.</param>
/// <param name="Parent">The schema by which it came to hold for the same value, or <see langword="null"/>.</param>
internal sealed record SchemaPart(JsonElement Element, string Pointer, SchemaPart? Parent = null)
{
    /// <summary>Gets a value indicating whether this is one of the alternatives of its parent.</summary>
    public bool IsBranch { get; init; }

    /// <summary>Gets the keywords whose alternatives are already spread over several rules.</summary>
    public IReadOnlyList<string> SplitKeywords { get; init; } = [];

    /// <summary>Looks up a keyword.</summary>
    public bool TryGet(string keyword, out JsonElement value)
    {
        value = default;
        return Element.ValueKind == JsonValueKind.Object && Element.TryGetProperty(keyword, out value);
    }

    /// <summary>Tells whether there is such a keyword.</summary>
    public bool Has(string keyword) => TryGet(keyword, out _);

    /// <summary>Tells whether this schema holds for a value because another does.</summary>
    public bool IsWithin(SchemaPart other)
    {
        SchemaPart? part = this;
        while (part is not null && part.Pointer != other.Pointer)
        {
            part = part.Parent;
        }

        return part is not null;
    }

    /// <summary>Returns a schema inside this one.</summary>
    public SchemaPart Child(JsonElement element, params ReadOnlySpan<string> path)
    {
        string pointer = Pointer;
        foreach (string name in path)
        {
            pointer = Join(pointer, name);
        }

        return new SchemaPart(RequireSchema(element, pointer), pointer);
    }

    /// <summary>Returns the pointer to what a name leads to.</summary>
    public static string Join(string pointer, string name) =>
        $"{pointer}/{name.Replace("~", "~0", StringComparison.Ordinal).Replace("/", "~1", StringComparison.Ordinal)}";

    /// <summary>Returns the schemas under a keyword that holds an array of them; none if there is no such keyword.</summary>
    /// <exception cref="JsonException">The keyword holds something else.</exception>
    public IReadOnlyList<SchemaPart> Children(string keyword)
    {
        if (!TryGet(keyword, out JsonElement list))
        {
            return [];
        }

        if (list.ValueKind != JsonValueKind.Array)
        {
            throw Error(keyword, "must be an array of schemas");
        }

        return
        [
            .. list.EnumerateArray().Select((element, index) =>
                Child(element, keyword, index.ToString(CultureInfo.InvariantCulture)) with { Parent = this }),
        ];
    }

    /// <summary>Reads a count, at most the largest int; <see langword="null"/> if there is no such keyword.</summary>
    /// <exception cref="JsonException">The keyword holds no count.</exception>
    public int? Count(string keyword)
    {
        if (!TryGet(keyword, out JsonElement value))
        {
            return null;
        }

        if (value.ValueKind != JsonValueKind.Number || value.GetDouble() is < 0 or double.NaN
            || Math.Floor(value.GetDouble()) != value.GetDouble())
        {
            throw Error(keyword, "must be a whole number, 0 or more");
        }

        return (int)Math.Min(value.GetDouble(), int.MaxValue);
    }

    /// <summary>Reads a string; <see langword="null"/> if there is no such keyword.</summary>
    /// <exception cref="JsonException">The keyword holds no string.</exception>
    public string? Text(string keyword)
    {
        if (!TryGet(keyword, out JsonElement value))
        {
            return null;
        }

        return value.ValueKind == JsonValueKind.String ? value.GetString() : throw Error(keyword, "must be a string");
    }

    /// <summary>Makes an exception about a keyword of this schema.</summary>
    public JsonException Error(string keyword, string rule, Exception? cause = null) =>
        new($"The schema's {keyword} at {Pointer} {rule}.", cause);

    /// <summary>Returns the element, which must be a schema.</summary>
    /// <exception cref="JsonException">It is none.</exception>
    public static JsonElement RequireSchema(JsonElement element, string pointer) =>
        element.ValueKind is JsonValueKind.Object or JsonValueKind.True or JsonValueKind.False
            ? element
            : throw new JsonException($"The schema at {pointer} must be an object, true or false.");
}
