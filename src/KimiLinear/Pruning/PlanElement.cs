using System.Text.Json;

namespace KimiLinear.Pruning;

/// <summary>Typed reading of one object of a plan; a refusal names the place, the key and the value.</summary>
/// <param name="json">The object.</param>
/// <param name="place">Where it lies, to stand before a complaint.</param>
internal sealed class PlanElement(JsonElement json, string place)
{
    private const int LongestQuotedValue = 40;

    /// <summary>The same object under another name of its place.</summary>
    public PlanElement Named(string name) => new(json, name);

    public string Text(string key) => OptionalText(key) ?? throw Missing(key);

    public string? OptionalText(string key) => !TryFind(key, out JsonElement value)
        ? null
        : value.ValueKind == JsonValueKind.String ? value.GetString() : throw Refuse(key, "must be a text", value);

    public int Integer(string key, int min, int max) => OptionalInteger(key, min, max) ?? throw Missing(key);

    public int? OptionalInteger(string key, int min, int max) => !TryFind(key, out JsonElement value)
        ? null
        : value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int number) && number >= min && number <= max
            ? number
            : throw Refuse(key, $"must be a whole number from {min} to {max}", value);

    public decimal? OptionalDecimal(string key) => !TryFind(key, out JsonElement value)
        ? null
        : value.ValueKind == JsonValueKind.Number && value.TryGetDecimal(out decimal number)
            ? number
            : throw Refuse(key, "must be a number", value);

    public PlanElement Object(string key) => Objects(key, TryFind(key, out JsonElement value) ? [value] : throw Missing(key)).Single();

    public IEnumerable<PlanElement> Objects(string key) => Objects(key, TryFind(key, out _) ? OptionalList(key) : throw Missing(key));

    public IReadOnlyList<JsonElement> OptionalList(string key) => !TryFind(key, out JsonElement value)
        ? []
        : value.ValueKind == JsonValueKind.Array ? [.. value.EnumerateArray()] : throw Refuse(key, "must be a list", value);

    public int[] Integers(string key) => TryFind(key, out _) ? OptionalIntegers(key) : throw Missing(key);

    public int[] OptionalIntegers(string key) =>
    [
        .. OptionalList(key).Select(value => value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int number)
            ? number
            : throw Refuse(key, "must be a list of whole numbers", value)),
    ];

    public double[] OptionalNumbers(string key) =>
    [
        .. OptionalList(key).Select(value => value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out double number)
            ? number
            : throw Refuse(key, "must be a list of numbers", value)),
    ];

    private bool TryFind(string key, out JsonElement value) =>
        json.TryGetProperty(key, out value) && value.ValueKind != JsonValueKind.Null;

    private FormatException Missing(string key) => new($"{place}'{key}' is missing.");

    private FormatException Refuse(string key, string rule, JsonElement value)
    {
        string text = value.GetRawText().ReplaceLineEndings(" ");
        string shown = text.Length <= LongestQuotedValue ? text : $"{text[..LongestQuotedValue]}…";
        return new FormatException($"{place}'{key}' {rule}, but is or holds {shown}.");
    }

    private IEnumerable<PlanElement> Objects(string key, IEnumerable<JsonElement> values) => values.Select(value =>
        value.ValueKind == JsonValueKind.Object
            ? new PlanElement(value, place)
            : throw Refuse(key, "must hold objects only", value));
}
