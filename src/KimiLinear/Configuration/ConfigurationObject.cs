using System.Diagnostics.CodeAnalysis;
using System.Text.Json;

namespace KimiLinear.Configuration;

/// <summary>
/// Typed reading of one JSON object of a configuration file; every refusal names the key, the rule and the value.
/// </summary>
/// <remarks>
/// A key whose value is <c>null</c> counts as absent, as it does in the implementations that write these files.
/// </remarks>
/// <param name="json">The object.</param>
/// <param name="filePath">The file it comes from, for messages.</param>
/// <param name="path">Where the object lies in the file, with a trailing dot; empty for the outermost.</param>
internal sealed class ConfigurationObject(JsonElement json, string? filePath, string path = "")
{
    private const int LongestQuotedValue = 80;

    /// <summary>Parses a whole file's bytes, which must hold one JSON object.</summary>
    public static ConfigurationObject Parse(ReadOnlySpan<byte> utf8Json, string? filePath)
    {
        try
        {
            return FromElement(StrictJson.Parse(utf8Json), filePath);
        }
        catch (JsonException exception)
        {
            throw new ModelConfigurationException(
                $"{Describe(filePath)} is not valid JSON: {exception.Message}", filePath, exception);
        }
    }

    /// <summary>Takes an element that must be an object.</summary>
    public static ConfigurationObject FromElement(JsonElement element, string? filePath) =>
        element.ValueKind == JsonValueKind.Object
            ? new ConfigurationObject(element, filePath)
            : throw new ModelConfigurationException(
                $"{Describe(filePath)} must hold a JSON object, but holds {KindName(element)}.", filePath);

    public bool Has(ConfigurationKey key) => TryFind(key, out _, out _);

    /// <summary>Finds a value under any of its spellings.</summary>
    /// <exception cref="ModelConfigurationException">Two spellings are present with different values.</exception>
    public bool TryFind(ConfigurationKey key, out JsonElement value, out string spelling)
    {
        value = default;
        spelling = key.Name;
        bool found = false;
        foreach (string candidate in key.Aliases.Prepend(key.Name))
        {
            if (!json.TryGetProperty(candidate, out JsonElement other) || other.ValueKind == JsonValueKind.Null)
            {
                continue;
            }

            if (found && !AreEqual(value, other))
            {
                throw new ModelConfigurationException(
                    $"{path}{spelling} is {Quote(value)} and {path}{candidate} is {Quote(other)} in {Describe(filePath)}, " +
                    "but both name the same value. Remove one of them.",
                    filePath);
            }

            if (!found)
            {
                (value, spelling, found) = (other, candidate, true);
            }
        }

        return found;
    }

    // The framework compares no numbers whose exponent is beyond an Int32; no setting has such a value.
    private static bool AreEqual(JsonElement value, JsonElement other)
    {
        try
        {
            return JsonElement.DeepEquals(value, other);
        }
        catch (ArgumentOutOfRangeException)
        {
            return false;
        }
    }

    public ConfigurationObject? OptionalObject(ConfigurationKey key) => !TryFind(key, out JsonElement value, out string spelling)
        ? null
        : value.ValueKind == JsonValueKind.Object
            ? new ConfigurationObject(value, filePath, $"{path}{spelling}.")
            : throw Refuse(spelling, "must be an object", value);

    /// <summary>The objects among the values, whatever their keys.</summary>
    public IEnumerable<ConfigurationObject> Objects() => json.EnumerateObject()
        .Where(property => property.Value.ValueKind == JsonValueKind.Object)
        .Select(property => new ConfigurationObject(property.Value, filePath, $"{path}{property.Name}."));

    public int Integer(ConfigurationKey key, int min, int max) => OptionalInteger(key, min, max) ?? throw Missing(key);

    public int? OptionalInteger(ConfigurationKey key, int min, int max)
    {
        if (!TryFind(key, out JsonElement value, out string spelling))
        {
            return null;
        }

        return value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int number) && number >= min && number <= max
            ? number
            : throw Refuse(spelling, $"must be a whole number from {min} to {max}", value);
    }

    /// <summary>Reads a number that <paramref name="accepts"/>, after rounding to single precision.</summary>
    public float? OptionalSingle(ConfigurationKey key, Predicate<float> accepts, string rule)
    {
        if (!TryFind(key, out JsonElement value, out string spelling))
        {
            return null;
        }

        float number = value.ValueKind == JsonValueKind.Number ? (float)value.GetDouble() : float.NaN;
        return float.IsFinite(number) && accepts(number) ? number : throw Refuse(spelling, rule, value);
    }

    public float? OptionalPositiveSingle(ConfigurationKey key) =>
        OptionalSingle(key, number => number > 0, "must be a positive number");

    public bool? OptionalBoolean(ConfigurationKey key) => !TryFind(key, out JsonElement value, out string spelling)
        ? null
        : value.ValueKind switch
        {
            JsonValueKind.True => true,
            JsonValueKind.False => false,
            _ => throw Refuse(spelling, "must be true or false", value),
        };

    public string? OptionalString(ConfigurationKey key) => !TryFind(key, out JsonElement value, out string spelling)
        ? null
        : value.ValueKind == JsonValueKind.String ? value.GetString() : throw Refuse(spelling, "must be a string", value);

    /// <summary>Reads a list whose elements are all of one kind; <see langword="null"/> when the key is absent.</summary>
    public JsonElement[]? OptionalList(ConfigurationKey key, JsonValueKind elementKind, string elementName)
    {
        if (!TryFind(key, out JsonElement value, out string spelling))
        {
            return null;
        }

        if (value.ValueKind != JsonValueKind.Array)
        {
            throw Refuse(spelling, $"must be a list of {elementName}", value);
        }

        JsonElement[] elements = [.. value.EnumerateArray()];
        int wrong = Array.FindIndex(elements, element => element.ValueKind != elementKind);
        return wrong < 0 ? elements : throw Refuse(spelling, $"must be a list of {elementName}", value, elements[wrong]);
    }

    /// <summary>Reads a token id or a list of them, keeping those that <paramref name="vocabularySize"/> has a row for.</summary>
    /// <remarks>Small test models carry ids derived from the published ones that fall outside their vocabulary.</remarks>
    public int[] TokenIds(ConfigurationKey key, int vocabularySize)
    {
        if (!TryFind(key, out JsonElement value, out string spelling))
        {
            return [];
        }

        JsonElement[] elements = value.ValueKind == JsonValueKind.Array ? [.. value.EnumerateArray()] : [value];
        List<int> ids = [];
        foreach (JsonElement element in elements)
        {
            if (element.ValueKind != JsonValueKind.Number || !element.TryGetInt64(out long id))
            {
                throw Refuse(spelling, "must be a token id or a list of token ids", value, element);
            }

            if (id >= 0 && id < vocabularySize && !ids.Contains((int)id))
            {
                ids.Add((int)id);
            }
        }

        return [.. ids];
    }

    /// <summary>Reads one token id; <see langword="null"/> when absent or outside the vocabulary.</summary>
    public int? TokenId(ConfigurationKey key, int vocabularySize)
    {
        if (TryFind(key, out JsonElement value, out string spelling) && value.ValueKind == JsonValueKind.Array)
        {
            throw Refuse(spelling, "must be one token id", value);
        }

        int[] ids = TokenIds(key, vocabularySize);
        return ids.Length == 0 ? null : ids[0];
    }

    public ModelConfigurationException Missing(ConfigurationKey key) =>
        new($"{path}{key} is required, but {Describe(filePath)} does not have it.", filePath);

    /// <summary>Makes the refusal of a value; <paramref name="culprit"/> is the element of a list that is wrong.</summary>
    public ModelConfigurationException Refuse(string spelling, string rule, JsonElement value, JsonElement? culprit = null)
    {
        JsonElement shown = culprit ?? value;
        string found = culprit is null ? $"is {Quote(shown)}" : $"contains {Quote(shown)}";
        return Refuse(spelling, rule, $"{found} ({KindName(shown)})");
    }

    /// <summary>Makes the refusal of a value, with the finding in words.</summary>
    public ModelConfigurationException Refuse(string spelling, string rule, string finding) =>
        new($"{path}{spelling} {rule}, but {finding} in {Describe(filePath)}.", filePath);

    private static string Describe(string? filePath) => filePath is null ? "the configuration" : $"'{filePath}'";

    private static string Quote(JsonElement value)
    {
        string text = value.GetRawText().ReplaceLineEndings(" ");
        return text.Length <= LongestQuotedValue ? text : $"{text[..LongestQuotedValue]}…";
    }

    [SuppressMessage("Style", "IDE0072", Justification = "The remaining kinds cannot occur in a parsed document.")]
    private static string KindName(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "a list",
        JsonValueKind.String => "a string",
        JsonValueKind.Number => "a number",
        JsonValueKind.True or JsonValueKind.False => "a boolean",
        _ => "null",
    };
}
