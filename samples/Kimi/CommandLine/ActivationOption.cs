using System.CommandLine;
using KimiLinear.Tensors;

namespace Kimi.CommandLine;

/// <summary>The precisions of activations by the names that the command line gives them.</summary>
internal static class ActivationOption
{
    private static readonly Dictionary<string, ActivationPrecision> Precisions = new()
    {
        ["auto"] = ActivationPrecision.Auto,
        ["int8"] = ActivationPrecision.Int8,
        ["int16"] = ActivationPrecision.Int16,
        ["float32"] = ActivationPrecision.Float32,
    };

    public static Option<ActivationPrecision?> Create() => CommonOptions.Choice(
        "--activations", "How exactly activations meet quantised weights [default: auto].", Precisions);
}
