using System.Globalization;
using System.Numerics;

namespace ChatSample;

/// <summary>What the command line asks for.</summary>
internal sealed record ChatArguments
{
    /// <summary>The text of <c>--help</c>.</summary>
    public const string Usage =
        """
        Talks with a Kimi-Linear model that runs in this process.

        Usage: chat [options] [prompt]

        With a prompt, answers it and exits. Without one, reads one turn per line, from the terminal or from a pipe.

        Options:
          --model PATH       the folder of the model, a GGUF file, or a name on the hub, which is downloaded
                             (default: the small model that comes with the sample)
          --system TEXT      the system prompt
          --no-tools         do not offer the tools get_weather, get_time and add
          --temperature X    how freely tokens are drawn, 0 for always the likeliest (default: as the model recommends)
          --seed N           makes a conversation repeatable
          --max-tokens N     the longest reply, in tokens (default: 1024)
          --threads N        threads that compute (default: one per processor)
          --help             shows this text
          --                 what follows is the prompt, even if it begins with a dash
        """;

    public string ModelPath { get; private set; } = Path.Combine(AppContext.BaseDirectory, "models", "kimi-linear-tiny");

    public string? SystemPrompt { get; private set; }

    public bool UseTools { get; private set; } = true;

    public float? Temperature { get; private set; }

    public long? Seed { get; private set; }

    public int MaxTokens { get; private set; } = 1024;

    public int? ThreadCount { get; private set; }

    public bool ShowHelp { get; private set; }

    /// <summary>Gets the prompt to answer, or <see langword="null"/> to read turns.</summary>
    public string? Prompt { get; private set; }

    /// <exception cref="FormatException">An option is unknown, lacks its value, or has one out of range.</exception>
    public static ChatArguments Parse(IEnumerable<string> args)
    {
        ChatArguments result = new();
        List<string> prompt = [];
        Queue<string> rest = new(args);
        while (rest.TryDequeue(out string? word))
        {
            if (word == "--")
            {
                prompt.AddRange(rest);
                break;
            }

            if (word.Length > 1 && word[0] == '-')
            {
                result.SetOption(word, rest);
            }
            else
            {
                prompt.Add(word);
            }
        }

        if (prompt.Count > 0)
        {
            result.Prompt = string.Join(' ', prompt);
            Require(!string.IsNullOrWhiteSpace(result.Prompt), "The prompt is empty.");
        }

        return result;
    }

    private void SetOption(string word, Queue<string> rest)
    {
        int equals = word.IndexOf('=');
        string name = equals < 0 ? word : word[..equals];
        string? inline = equals < 0 ? null : word[(equals + 1)..];
        switch (name)
        {
            case "--help" or "-h" or "-?":
                ShowHelp = true;
                break;
            case "--no-tools":
                Require(inline is null, "--no-tools takes no value.");
                UseTools = false;
                break;
            case "--model":
                ModelPath = Value();
                Require(ModelPath.Length > 0, "--model needs a folder, a GGUF file or a name.");
                break;
            case "--system":
                SystemPrompt = Value();
                break;
            case "--temperature":
                Temperature = Number(0f, float.MaxValue, "a number of at least 0");
                break;
            case "--seed":
                Seed = Number(long.MinValue, long.MaxValue, "a whole number");
                break;
            case "--max-tokens":
                MaxTokens = Number(1, int.MaxValue, "a whole number of at least 1");
                break;
            case "--threads":
                ThreadCount = Number(1, 1024, "a whole number from 1 to 1024");
                break;
            default:
                throw new FormatException($"There is no option {name}. --help lists them.");
        }

        string Value() => inline
            ?? (rest.TryDequeue(out string? next) ? next : throw new FormatException($"{name} needs a value."));

        T Number<T>(T lowest, T highest, string rule)
            where T : INumber<T>
        {
            // Commas would be read as marks between thousands, and 0,5 as 5.
            string text = Value();
            T? number = default;
            bool valid = !text.Contains(',') && T.TryParse(text, CultureInfo.InvariantCulture, out number)
                && number >= lowest && number <= highest;
            Require(valid, $"{name} must be {rule}, but is '{text}'.");
            return number!;
        }
    }

    private static void Require(bool condition, string message)
    {
        if (!condition)
        {
            throw new FormatException(message);
        }
    }
}
