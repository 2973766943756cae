using System.Text.Json;

namespace KimiLinear.Configuration;

/// <summary>
/// What <c>config.json</c> says of weights that other tools stored as 8-bit floats, in the two forms that are published.
/// </summary>
/// <remarks>
/// The weights are what they say. That engines round activations to 8 bits beside them is a matter of speed and is not repeated
/// here; factors measured for that beforehand would be, and are refused, as is everything that changes the weights themselves.
/// </remarks>
internal static class Float8Entry
{
    // Rows and columns of a block of weights with one scale.
    private const int BlockLength = 128;

    private const string PlainMethod = "fp8";
    private const string CompressedMethod = "compressed-tensors";

    // The two names it has had.
    private static readonly string[] CompressedFormats = ["float-quantized", "naive-quantized"];

    /// <summary>Whether an entry of this method and format can be such weights.</summary>
    public static bool Is(string? method, string? format) =>
        method == PlainMethod || (method == CompressedMethod && CompressedFormats.Contains(format));

    /// <summary>Refuses weights of other bits or blocks.</summary>
    /// <exception cref="ModelConfigurationException">The entry is not one that can be read.</exception>
    public static void Check(ConfigurationObject entry)
    {
        if (entry.OptionalString("quant_method") == PlainMethod)
        {
            RequireText(entry, "fmt", "e4m3");
            RequireText(entry, "activation_scheme", "dynamic");
            RequireBlock(entry, "weight_block_size");
            return;
        }

        RequireAbsent(entry, "kv_cache_scheme");
        if (entry.OptionalObject("sparsity_config") is { } sparsity)
        {
            RequireText(sparsity, "format", "dense");
        }

        foreach (ConfigurationObject group in entry.OptionalObject("config_groups")?.Objects() ?? [])
        {
            CheckGroup(group);
        }
    }

    private static void CheckGroup(ConfigurationObject group)
    {
        if (group.OptionalObject("weights") is { } weights)
        {
            _ = weights.OptionalInteger("num_bits", 8, 8);
            RequireText(weights, "type", "float");
            RequireText(weights, "strategy", "tensor", "channel", "block");
            RequireBlock(weights, "block_structure");
        }

        if (group.OptionalObject("input_activations") is { } activations && activations.OptionalBoolean("dynamic") != true)
        {
            throw activations.Refuse("dynamic", "must be true", "is not");
        }

        RequireAbsent(group, "output_activations");
    }

    private static void RequireText(ConfigurationObject entry, string name, params string[] accepted)
    {
        if (entry.OptionalString(name) is { } found && !accepted.Contains(found))
        {
            throw entry.Refuse(name, $"must be {string.Join(" or ", accepted)} in weights of 8-bit floats", $"is \"{found}\"");
        }
    }

    private static void RequireBlock(ConfigurationObject entry, string name)
    {
        JsonElement[]? lengths = entry.OptionalList(name, JsonValueKind.Number, "whole numbers");
        if (lengths is not null
            && (lengths.Length != 2 || !lengths.All(length => length.TryGetInt32(out int value) && value == BlockLength)))
        {
            throw entry.Refuse(
                name, $"must be [{BlockLength}, {BlockLength}]", $"is [{string.Join(", ", lengths)}]");
        }
    }

    private static void RequireAbsent(ConfigurationObject entry, string name)
    {
        if (entry.TryFind(name, out JsonElement value, out string spelling))
        {
            throw entry.Refuse(spelling, "must be absent or null", value);
        }
    }
}
