using System.Globalization;
using System.Text;
using System.Text.Unicode;

namespace KimiLinear.Checkpoints;

/// <summary>The keys and values of a GGUF file, read by type; every refusal names the key, the rule and the value.</summary>
/// <param name="values">The values, where they lie in the mapped file.</param>
/// <param name="filePath">The file, for messages.</param>
internal sealed unsafe class GgufMetadata(IReadOnlyDictionary<string, GgufMetadataValue> values, string filePath)
{
    public string FilePath => filePath;

    public bool Has(string key) => values.ContainsKey(key);

    /// <summary>Finds a value where it lies in the file.</summary>
    public bool TryGet(string key, out GgufMetadataValue value) => values.TryGetValue(key, out value);

    /// <summary>Tells whether the value of a key that is there is 0 or false.</summary>
    public bool IsZero(string key)
    {
        GgufMetadataValue value = values[key];
        ReadOnlySpan<byte> bytes = new(value.Data, value.Type.SizeInBytes());
        return !bytes.IsEmpty && !bytes.ContainsAnyExcept((byte)0);
    }

    public long? OptionalInteger(string key, long min, long max)
    {
        if (!values.TryGetValue(key, out GgufMetadataValue value))
        {
            return null;
        }

        string rule = string.Create(CultureInfo.InvariantCulture, $"must be a whole number from {min} to {max}");
        long number = GgufMetadataValue.ReadInteger(value.Type, value.Data) ?? throw Refuse(key, rule, $"is {Describe(value)}");
        return number >= min && number <= max
            ? number
            : throw Refuse(key, rule, string.Create(CultureInfo.InvariantCulture, $"is {number}"));
    }

    public int Integer(string key, int min, int max) => (int)(OptionalInteger(key, min, max) ?? throw Missing(key));

    public float? OptionalPositiveSingle(string key)
    {
        if (!values.TryGetValue(key, out GgufMetadataValue value))
        {
            return null;
        }

        float? number = value.Type switch
        {
            GgufValueType.Float32 => *(float*)value.Data,
            GgufValueType.Float64 => (float)*(double*)value.Data,
            _ => null,
        };
        return number is > 0 && float.IsFinite(number.Value)
            ? number
            : throw Refuse(key, "must be a positive number", $"is {(number is null ? Describe(value) : number)}");
    }

    public bool? OptionalBoolean(string key) => !values.TryGetValue(key, out GgufMetadataValue value)
        ? null
        : value.Type == GgufValueType.Boolean
            ? *value.Data != 0
            : throw Refuse(key, "must be true or false", $"is {Describe(value)}");

    public string? OptionalText(string key)
    {
        if (!values.TryGetValue(key, out GgufMetadataValue value))
        {
            return null;
        }

        ReadOnlySpan<byte> utf8 = value.Type == GgufValueType.Text
            ? new ReadOnlySpan<byte>(value.Data, (int)value.Count)
            : throw Refuse(key, "must be a text", $"is {Describe(value)}");
        return Utf8.IsValid(utf8) ? Encoding.UTF8.GetString(utf8) : throw Refuse(key, "must be UTF-8 text", "is not");
    }

    /// <summary>Reads a list of integers of a known length.</summary>
    public long[] IntegerList(string key, long count)
    {
        string rule = $"must be a list of {count} whole numbers";
        GgufMetadataValue value = values.TryGetValue(key, out GgufMetadataValue found) ? found : throw Missing(key);
        if (value.Type != GgufValueType.List || value.Count != count)
        {
            throw Refuse(key, rule, $"is {Describe(value)}");
        }

        long[] numbers = new long[count];
        int size = value.ElementType.SizeInBytes();
        for (long i = 0; i < count; i++)
        {
            numbers[i] = GgufMetadataValue.ReadInteger(value.ElementType, value.Data + (i * size))
                ?? throw Refuse(key, rule, $"is {Describe(value)}");
        }

        return numbers;
    }

    public GgufTexts? OptionalTexts(string key) => !values.TryGetValue(key, out GgufMetadataValue value)
        ? null
        : value.Type == GgufValueType.List && value.ElementType == GgufValueType.Text
            ? new GgufTexts(value.Data, value.Count)
            : throw Refuse(key, "must be a list of texts", $"is {Describe(value)}");

    public CheckpointFormatException Missing(string key) =>
        new($"{key} is required, but '{filePath}' does not have it.", filePath);

    /// <summary>Makes the refusal of a value, with the finding in words.</summary>
    public CheckpointFormatException Refuse(string key, string rule, string finding) =>
        new($"{key} {rule}, but {finding} in '{filePath}'.", filePath);

    private static string Describe(GgufMetadataValue value) => value.Type == GgufValueType.List
        ? $"a list of {value.Count} values of type {value.ElementType}"
        : $"of type {value.Type}";
}
