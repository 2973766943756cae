using System.Text.Json;

namespace KimiLinear.Sampling;

/// <summary>What the keywords of one schema say about kinds of values.</summary>
internal static class SchemaKeywords
{
    private static readonly string[] OfObjects =
    [
        "properties", "required", "additionalProperties", "patternProperties", "propertyNames", "minProperties",
        "maxProperties", "dependentRequired", "dependentSchemas", "dependencies", "unevaluatedProperties",
    ];

    private static readonly string[] OfArrays =
    [
        "items", "prefixItems", "additionalItems", "minItems", "maxItems", "uniqueItems", "contains", "unevaluatedItems",
    ];

    private static readonly string[] OfStrings = ["minLength", "maxLength", "pattern", "format"];

    private static readonly string[] OfNumbers =
        ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"];

    /// <summary>Returns the kinds that the keyword <c>type</c> allows; all if there is none.</summary>
    /// <exception cref="JsonException">The keyword is malformed.</exception>
    public static SchemaTypes TypesOf(SchemaPart part)
    {
        if (!part.TryGet("type", out JsonElement type))
        {
            return SchemaTypes.All;
        }

        return type.ValueKind == JsonValueKind.Array
            ? type.EnumerateArray().Aggregate(SchemaTypes.None, (types, name) => types | TypeOf(part, name))
            : TypeOf(part, type);
    }

    /// <summary>Returns the kind of a value.</summary>
    public static SchemaTypes TypeOfValue(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => SchemaTypes.Object,
        JsonValueKind.Array => SchemaTypes.Array,
        JsonValueKind.String => SchemaTypes.String,
        JsonValueKind.Number => DecimalText.IsWhole(value) ? SchemaTypes.Integer : SchemaTypes.Fraction,
        JsonValueKind.Null => SchemaTypes.Null,
        _ => SchemaTypes.Boolean,
    };

    /// <summary>Returns the keywords of a schema that speak of some kind of value.</summary>
    public static IEnumerable<string> About(SchemaPart part, SchemaTypes type)
    {
        string[] keywords = type switch
        {
            SchemaTypes.Object => OfObjects,
            SchemaTypes.Array => OfArrays,
            SchemaTypes.String => OfStrings,
            _ => OfNumbers,
        };
        return keywords.Where(part.Has);
    }

    /// <summary>Returns the kinds of values that schemas without <c>type</c> speak of; all if they speak of none.</summary>
    public static SchemaTypes Guess(IReadOnlyList<SchemaPart> parts)
    {
        SchemaTypes[] kinds = [SchemaTypes.Object, SchemaTypes.Array, SchemaTypes.String, SchemaTypes.Number];
        SchemaTypes guess = kinds.Where(kind => parts.Any(part => About(part, kind).Any()))
            .Aggregate(SchemaTypes.None, (types, kind) => types | kind);
        return guess == SchemaTypes.None ? SchemaTypes.All : guess;
    }

    /// <summary>
    /// Returns the values that <c>const</c> and <c>enum</c> of all schemas leave; <see langword="null"/> for any.
    /// </summary>
    /// <exception cref="JsonException"><c>enum</c> is no array, or values cannot be compared.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static IReadOnlyList<JsonElement>? ValuesOf(IReadOnlyList<SchemaPart> parts, CancellationToken cancellationToken)
    {
        IReadOnlyList<JsonElement>? values = null;
        foreach (SchemaPart part in parts)
        {
            if (part.TryGet("const", out JsonElement constant))
            {
                Keep(part, "const", [constant]);
            }

            if (part.TryGet("enum", out JsonElement list))
            {
                Keep(part, "enum", list.ValueKind == JsonValueKind.Array
                    ? [.. list.EnumerateArray()]
                    : throw part.Error("enum", "must be an array of values"));
            }
        }

        return values;

        void Keep(SchemaPart part, string keyword, JsonElement[] allowed)
        {
            try
            {
                values = values is null
                    ? allowed
                    : [.. values.Where(value => IsAmong(value, allowed))];
            }
            catch (ArgumentOutOfRangeException exception)
            {
                throw part.Error(
                    keyword, "holds a number, or is compared with one, whose exponent is beyond all reading", exception);
            }
        }

        bool IsAmong(JsonElement value, JsonElement[] allowed)
        {
            cancellationToken.ThrowIfCancellationRequested();
            return allowed.Any(other => JsonElement.DeepEquals(value, other));
        }
    }

    private static SchemaTypes TypeOf(SchemaPart part, JsonElement name) =>
        (name.ValueKind == JsonValueKind.String ? name.GetString() : null) switch
        {
            "object" => SchemaTypes.Object,
            "array" => SchemaTypes.Array,
            "string" => SchemaTypes.String,
            "number" => SchemaTypes.Number,
            "integer" => SchemaTypes.Integer,
            "boolean" => SchemaTypes.Boolean,
            "null" => SchemaTypes.Null,
            _ => throw part.Error("type", "must name types: object, array, string, number, integer, boolean or null"),
        };
}
