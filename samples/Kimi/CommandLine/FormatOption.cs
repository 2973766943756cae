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
    };

    /// <summary>The option that converts a model's weights while they are loaded.</summary>
    public static Option<WeightFormat?> ForLoading() =>
        Create("Converts the weights while loading, into memory [default: as they are stored].");

    /// <summary>Makes the option with another description.</summary>
    public static Option<WeightFormat?> Create(string description, bool isRequired = false) => new("--format")
    {
        Description = description,
        HelpName = string.Join('|', Formats.Keys),
        Required = isRequired,
        CustomParser = result =>
        {
            string text = result.Tokens[0].Value;
            if (Formats.TryGetValue(text, out WeightFormat format))
            {
                return format;
            }

            result.AddError($"--format must be one of {string.Join(", ", Formats.Keys)}, but is '{text}'.");
            return null;
        },
    };

    /// <summary>The name of a format.</summary>
    public static string NameOf(WeightFormat format) => Formats.Single(pair => pair.Value == format).Key;
}
