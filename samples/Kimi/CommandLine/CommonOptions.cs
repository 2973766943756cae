using System.CommandLine;
using System.Globalization;
using System.Numerics;
using KimiLinear.Checkpoints;
using KimiLinear.Model;
using KimiLinear.Tensors;

namespace Kimi.CommandLine;

/// <summary>Options that several commands have.</summary>
internal static class CommonOptions
{
    public static Option<string> Model() => new("--model", "-m")
    {
        Description = "The model's folder, or a GGUF file.",
        HelpName = "MODEL",
        Required = true,
    };

    public static Option<int?> Threads() => Number<int>(
        "--threads",
        "How many threads compute, 1 to 1024 [default: one for each processor].",
        "a whole number from 1 to 1024",
        count => count is >= 1 and <= 1024);

    public static Option<int?> MaxTokens(string description) =>
        Number<int>("--max-tokens", description, "a whole number, at least 1", count => count >= 1);

    public static Option<bool> JsonLines(string description) => new("--jsonl") { Description = description };

    /// <summary>Makes an option for a number that a rule may refuse.</summary>
    /// <param name="name">Its name, with the dashes.</param>
    /// <param name="description">Its line in the help.</param>
    /// <param name="rule">What the value must be, to complete "must be …".</param>
    /// <param name="holds">Whether a value fits the rule.</param>
    public static Option<T?> Number<T>(string name, string description, string rule, Func<T, bool> holds)
        where T : struct, INumber<T> => new(name)
        {
            Description = description,
            HelpName = "N",
            CustomParser = result =>
            {
                string text = result.Tokens[0].Value;
                if (T.TryParse(text, CultureInfo.InvariantCulture, out T value) && holds(value))
                {
                    return value;
                }

                result.AddError($"{name} must be {rule}, but is '{text}'.");
                return null;
            },
        };

    /// <summary>How a model runs, from the options that say so.</summary>
    /// <param name="threads">How many threads; <see langword="null"/> for the default.</param>
    /// <param name="activations">How exactly activations are multiplied; <see langword="null"/> for the default.</param>
    /// <param name="format">What weights are converted to; <see langword="null"/> to leave them as they are stored.</param>
    public static ModelLoadOptions LoadOptions(
        int? threads, ActivationPrecision? activations, WeightFormat? format = null)
    {
        ModelLoadOptions options = new()
        {
            Activations = activations ?? ActivationPrecision.Auto,
            Format = format ?? WeightFormat.Source,
        };
        return threads is int count ? options with { ThreadCount = count } : options;
    }
}
