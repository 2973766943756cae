using System.CommandLine;
using KimiLinear.Checkpoints;

namespace Kimi.CommandLine;

/// <summary>The weight formats by the names that the command line gives them.</summary>
internal static class FormatOption
{
    private static readonly Dictionary<string, WeightFormat> Formats = new()
    {
        ["bf16"] = WeightFormat.BFloat16,
        ["q8"] = WeightFormat.Q8,
        ["q4"] = WeightFormat.Q4,
        ["q4q8"] = WeightFormat.Q4Q8,
        ["fp8"] = WeightFormat.Float8,
    };

    /// <summary>The option that converts a model's weights while they are loaded.</summary>
    public static Option<WeightFormat?> ForLoading() =>
        Create("Converts the weights while loading, into memory [default: as they are stored].");

    /// <summary>The option that says into what a model is packed.</summary>
    public static Option<WeightFormat?> ForPacking() => Create(
        "Bits a weight: bf16 16, q8 8.5, q4 4.5, q4q8 4.5 for experts and 8.5 for what every token reads.",
        isRequired: true,
        [.. Formats.Keys.Where(name => Formats[name] != WeightFormat.Float8)]);

    /// <summary>Makes the option with another description.</summary>
    public static Option<WeightFormat?> Create(string description) => Create(description, isRequired: false, [.. Formats.Keys]);

    /// <summary>The name of a format.</summary>
    public static string NameOf(WeightFormat format) => Formats.Single(pair => pair.Value == format).Key;

    private static Option<WeightFormat?> Create(string description, bool isRequired, string[] names) => new("--format")
    {
        Description = description,
        HelpName = string.Join('|', names),
        Required = isRequired,
        CustomParser = result =>
        {
            string text = result.Tokens[0].Value;
            if (names.Contains(text))
            {
                return Formats[text];
            }

            result.AddError($"--format must be one of {string.Join(", ", names)}, but is '{text}'.");
            return null;
        },
    };
}
