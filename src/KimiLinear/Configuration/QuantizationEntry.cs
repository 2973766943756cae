using System.Text.Json;
using System.Text.Json.Nodes;

namespace KimiLinear.Configuration;

/// <summary>
/// What <c>config.json</c> says of a model whose weights are quantised: our own packing and 8-bit floats are accepted.
/// </summary>
internal static class QuantizationEntry
{
    /// <summary>The key our own entry stands under.</summary>
    public const string Name = "quantization_config";

    private const string Method = "kimi-linear";

    // 2: zero points of 4-bit weights are even.
    private const int Version = 2;
    private const int FirstVersion = 1;

    // Facts of this version, written for other readers of the files.
    private const int BlockColumns = 32;
    private const int TileRows = 16;

    // Formats without 4-bit weights, for which both versions are the same.
    private static readonly string[] UnchangedFormats = ["q8", "bf16"];

    private static readonly ConfigurationKey Key = new(Name, "quantization", "compression_config");

    private static readonly string[] ForeignFacts = ["quant_method", "format", "bits", "group_size", "mode"];

    /// <summary>Makes the entry of a model that we packed.</summary>
    /// <param name="format">The name of the weight format.</param>
    /// <param name="sourceHash">What the weights it was made from hash to.</param>
    public static JsonObject Create(string format, string sourceHash) => new()
    {
        ["quant_method"] = Method,
        ["format"] = format,
        ["version"] = Version,
        ["block_columns"] = BlockColumns,
        ["tile_rows"] = TileRows,
        ["source_sha256"] = sourceHash,
    };

    /// <summary>Refuses weights that other tools quantised otherwise, or another version of this one packed otherwise.</summary>
    /// <exception cref="ModelConfigurationException">The entry is there and not one that can be read.</exception>
    public static void Check(ConfigurationObject json)
    {
        if (!json.TryFind(Key, out JsonElement value, out string spelling))
        {
            return;
        }

        string? method = TextOf(value, "quant_method");
        if (Float8Entry.Is(method, TextOf(value, "format")))
        {
            Float8Entry.Check(json.OptionalObject(Key)!);
            return;
        }

        if (method != Method)
        {
            throw RefuseForeign(json, value, spelling);
        }

        ConfigurationObject entry = json.OptionalObject(Key)!;
        bool isTheSame = UnchangedFormats.Contains(TextOf(value, "format"))
            && entry.Integer("version", 0, int.MaxValue) == FirstVersion;
        if (!isTheSame)
        {
            RequireFact(entry, "version", Version);
        }

        RequireFact(entry, "block_columns", BlockColumns);
        RequireFact(entry, "tile_rows", TileRows);
    }

    /// <summary>Removes the entry, under whatever spelling, from a configuration about to be written.</summary>
    public static void Remove(JsonObject config)
    {
        foreach (string name in Key.Aliases.Prepend(Key.Name))
        {
            _ = config.Remove(name);
        }
    }

    private static string? TextOf(JsonElement value, string name) =>
        value.ValueKind == JsonValueKind.Object && value.TryGetProperty(name, out JsonElement text)
        && text.ValueKind == JsonValueKind.String ? text.GetString() : null;

    private static ModelConfigurationException RefuseForeign(ConfigurationObject json, JsonElement value, string spelling)
    {
        string[] facts = value.ValueKind != JsonValueKind.Object ? [] :
        [
            .. ForeignFacts
                .Where(name => value.TryGetProperty(name, out JsonElement fact) && fact.ValueKind != JsonValueKind.Null)
                .Select(name => $"{name} {value.GetProperty(name)}"),
        ];
        string what = facts.Length == 0 ? "present" : $"present ({string.Join(", ", facts)})";
        return json.Refuse(
            spelling,
            "must be absent or say 8-bit floats (fp8, or compressed-tensors with format float-quantized), because of the "
            + "checkpoints quantized by other tools only those can be read; besides them float32, bfloat16 and float16 weights "
            + "and those packed by this library",
            $"is {what}");
    }

    private static void RequireFact(ConfigurationObject entry, string name, int accepted)
    {
        int found = entry.Integer(name, 0, int.MaxValue);
        if (found != accepted)
        {
            throw entry.Refuse(
                name, $"must be {accepted}, the only packing this version reads; update the library or pack the model again",
                $"is {found}");
        }
    }
}
