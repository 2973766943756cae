using System.CommandLine;
using System.Globalization;
using System.Numerics;

namespace Kimi.CommandLine;

/// <summary>Options that several commands have.</summary>
internal static class CommonOptions
{
    public static Option<string> Model() => new("--model", "-m")
    {
        Description = "The model's folder, a GGUF file, or a name on the hub.",
        HelpName = "MODEL",
        Required = true,
    };

    public static Option<bool> Download() => new("--download")
    {
        Description = "Download a model given by its name if it is not in the cache; without it, 'kimi pull' does.",
    };

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
                // Commas would be read as marks between thousands, and 0,5 as 5.
                string text = result.Tokens[0].Value;
                if (!text.Contains(',') && T.TryParse(text, CultureInfo.InvariantCulture, out T value) && holds(value))
                {
                    return value;
                }

                result.AddError($"{name} must be {rule}, but is '{text}'.");
                return null;
            },
        };
}
