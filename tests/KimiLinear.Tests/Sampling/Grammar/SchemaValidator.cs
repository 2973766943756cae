using System.Globalization;
using System.Net.Mail;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace KimiLinear.Tests.Sampling;

/// <summary>
/// Tells whether a value fits a JSON schema, keyword by keyword as the specification (draft 2020-12) reads. Shares nothing with
/// the compiler of grammars.
/// </summary>
internal sealed class SchemaValidator(JsonElement root)
{
    /// <summary>Tells whether a value fits the whole schema and no object in it has a key twice.</summary>
    public static bool IsValid(JsonElement schema, JsonElement value) =>
        !HasKeyTwice(value) && new SchemaValidator(schema).Fits(schema, value);

    public static bool HasKeyTwice(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => value.EnumerateObject().GroupBy(member => member.Name).Any(group => group.Count() > 1)
            || value.EnumerateObject().Any(member => HasKeyTwice(member.Value)),
        JsonValueKind.Array => value.EnumerateArray().Any(HasKeyTwice),
        _ => false,
    };

    private bool Fits(JsonElement schema, JsonElement value)
    {
        if (schema.ValueKind is JsonValueKind.True or JsonValueKind.False)
        {
            return schema.ValueKind == JsonValueKind.True;
        }

        return schema.EnumerateObject().All(keyword => FitsKeyword(schema, keyword.Name, keyword.Value, value));
    }

    private bool FitsKeyword(JsonElement schema, string keyword, JsonElement rule, JsonElement value) => keyword switch
    {
        "$ref" => Fits(Resolve(rule.GetString()!), value),
        "allOf" => rule.EnumerateArray().All(part => Fits(part, value)),
        "anyOf" => rule.EnumerateArray().Any(part => Fits(part, value)),
        "oneOf" => rule.EnumerateArray().Count(part => Fits(part, value)) == 1,
        "type" => rule.ValueKind == JsonValueKind.Array
            ? rule.EnumerateArray().Any(name => IsOfType(name.GetString()!, value))
            : IsOfType(rule.GetString()!, value),
        "const" => JsonElement.DeepEquals(rule, value),
        "enum" => rule.EnumerateArray().Any(item => JsonElement.DeepEquals(item, value)),
        _ => value.ValueKind switch
        {
            JsonValueKind.Object => FitsObject(schema, keyword, rule, value),
            JsonValueKind.Array => FitsArray(schema, keyword, rule, value),
            JsonValueKind.String => FitsString(keyword, rule, value.GetString()!),
            JsonValueKind.Number => FitsNumber(keyword, rule, SchemaNumber.Parse(value.GetRawText())),
            _ => true,
        },
    };

    private bool FitsObject(JsonElement schema, string keyword, JsonElement rule, JsonElement value) => keyword switch
    {
        "properties" => rule.EnumerateObject().All(property =>
            !value.TryGetProperty(property.Name, out JsonElement member) || Fits(property.Value, member)),
        "required" => rule.EnumerateArray().All(name => value.TryGetProperty(name.GetString()!, out _)),
        "additionalProperties" => value.EnumerateObject().All(member =>
            (schema.TryGetProperty("properties", out JsonElement named) && named.TryGetProperty(member.Name, out _))
            || Fits(rule, member.Value)),
        _ => true,
    };

    private bool FitsArray(JsonElement schema, string keyword, JsonElement rule, JsonElement value) => keyword switch
    {
        "minItems" => value.GetArrayLength() >= rule.GetInt32(),
        "maxItems" => value.GetArrayLength() <= rule.GetInt32(),
        "prefixItems" => rule.EnumerateArray().Zip(value.EnumerateArray()).All(pair => Fits(pair.First, pair.Second)),
        "items" => value.EnumerateArray()
            .Skip(schema.TryGetProperty("prefixItems", out JsonElement first) ? first.GetArrayLength() : 0)
            .All(item => Fits(rule, item)),
        _ => true,
    };

    private static bool FitsString(string keyword, JsonElement rule, string value) => keyword switch
    {
        "minLength" => value.EnumerateRunes().Count() >= rule.GetInt32(),
        "maxLength" => value.EnumerateRunes().Count() <= rule.GetInt32(),
        "pattern" => Regex.IsMatch(WithoutPairs(value), rule.GetString()!, RegexOptions.ECMAScript),
        "format" => FitsFormat(rule.GetString()!, value),
        _ => true,
    };

    // Patterns are about code points, while the framework matches halves of surrogate pairs.
    private static string WithoutPairs(string value) => string.Concat(
        value.EnumerateRunes().Select(rune => rune.IsBmp ? rune.ToString() : "\uE000"));

    private static bool FitsNumber(string keyword, JsonElement rule, SchemaNumber value) => keyword switch
    {
        "minimum" => value.CompareTo(SchemaNumber.Parse(rule.GetRawText())) >= 0,
        "maximum" => value.CompareTo(SchemaNumber.Parse(rule.GetRawText())) <= 0,
        "exclusiveMinimum" => value.CompareTo(SchemaNumber.Parse(rule.GetRawText())) > 0,
        "exclusiveMaximum" => value.CompareTo(SchemaNumber.Parse(rule.GetRawText())) < 0,
        "multipleOf" => value.IsMultipleOf(SchemaNumber.Parse(rule.GetRawText())),
        _ => true,
    };

    private static bool IsOfType(string type, JsonElement value) => type switch
    {
        "integer" => value.ValueKind == JsonValueKind.Number && SchemaNumber.Parse(value.GetRawText()).IsWhole,
        "boolean" => value.ValueKind is JsonValueKind.True or JsonValueKind.False,
        _ => string.Equals(value.ValueKind.ToString(), type, StringComparison.OrdinalIgnoreCase),
    };

    private static bool FitsFormat(string format, string value) => format switch
    {
        "date" => DateOnly.TryParseExact(value, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out _),
        "time" => Regex.IsMatch(value, @"^\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$") && IsDateTime($"2024-01-02T{value}"),
        "date-time" => Regex.IsMatch(value, @"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$") && IsDateTime(value),
        "uuid" => Guid.TryParseExact(value, "D", out _),
        "email" => MailAddress.TryCreate(value, out MailAddress? address) && address.Address == value,
        "uri" => Uri.TryCreate(value, UriKind.Absolute, out _) || Regex.IsMatch(value, "^[A-Za-z][A-Za-z0-9+.-]*:[^ \"<>\\\\^`{|}]*$"),
        _ => true,
    };

    // Date and time of day are checked apart from the offset, which .NET limits to 14 hours.
    private static bool IsDateTime(string value) =>
        DateTime.TryParse(value[..19], CultureInfo.InvariantCulture, DateTimeStyles.None, out _)
        && (value[^1] == 'Z' || TimeOnly.TryParseExact(value[^5..], "HH:mm", CultureInfo.InvariantCulture, DateTimeStyles.None, out _));

    private JsonElement Resolve(string reference) => reference.Split('/').Skip(1)
        .Aggregate(root, (element, name) => element.GetProperty(name));
}
