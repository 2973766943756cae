using System.CommandLine;
using KimiServer.CommandLine;

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
        NumberOption.Whole("--max-tokens", description, 1);

    public static Option<bool> JsonLines(string description) => new("--jsonl") { Description = description };

    /// <summary>Makes an option for one of some values by their names.</summary>
    public static Option<T?> Choice<T>(string name, string description, Dictionary<string, T> values)
        where T : struct => new(name)
        {
            Description = description,
            HelpName = string.Join('|', values.Keys),
            CustomParser = result =>
            {
                string text = result.Tokens[0].Value;
                if (values.TryGetValue(text, out T value))
                {
                    return value;
                }

                result.AddError($"{name} must be one of {string.Join(", ", values.Keys)}, but is '{text}'.");
                return null;
            },
        };
}
