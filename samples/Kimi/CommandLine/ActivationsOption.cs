using System.CommandLine;
using KimiLinear.Tensors;

namespace Kimi.CommandLine;

/// <summary>How exactly activations are multiplied with quantised weights, by the names that the command line gives.</summary>
internal static class ActivationsOption
{
    private static readonly Dictionary<string, ActivationPrecision> Precisions = new()
    {
        ["auto"] = ActivationPrecision.Auto,
        ["int8"] = ActivationPrecision.Int8,
        ["int16"] = ActivationPrecision.Int16,
        ["float32"] = ActivationPrecision.Float32,
    };

    public static Option<ActivationPrecision?> Create() => new("--activations")
    {
        Description = "How exactly activations are rounded for products with quantised weights [default: auto].",
        HelpName = string.Join('|', Precisions.Keys),
        CustomParser = result =>
        {
            string text = result.Tokens[0].Value;
            if (Precisions.TryGetValue(text, out ActivationPrecision precision))
            {
                return precision;
            }

            result.AddError($"--activations must be one of {string.Join(", ", Precisions.Keys)}, but is '{text}'.");
            return null;
        },
    };
}
