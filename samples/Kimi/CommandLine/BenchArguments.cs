using System.CommandLine;
using System.Globalization;
using Kimi.Benchmarking;
using Kimi.Terminal;
using KimiLinear.Checkpoints;
using KimiServer.CommandLine;

namespace Kimi.CommandLine;

/// <summary>The options of a benchmark.</summary>
internal sealed class BenchArguments
{
    private const int MaxTokens = 1 << 24;
    private const int MaxExperts = 1 << 16;
    private const int MaxLayers = 1 << 12;
    private const int MaxRepeat = 1000;
    private const WeightFormat DefaultFormat = WeightFormat.BFloat16;

    private readonly Option<string> _model = new("--model", "-m") { Description = "The model to measure.", HelpName = "MODEL" };

    private readonly Option<bool> _download = CommonOptions.Download();

    private readonly Option<string> _shape =
        Choice("--shape", "Measures random weights of this shape in place of a model.", BenchShape.Names);

    private readonly Option<int?> _experts = NumberOption.Whole(
        "--experts", "How many experts the shape has [default: its own].", 1, MaxExperts);

    private readonly Option<int?> _layers = NumberOption.Whole(
        "--layers", "How many layers the shape has, three Kimi Delta to one latent [default: its own].", 1, MaxLayers);

    private readonly ComputeArguments _compute = new();

    private readonly Option<WeightFormat?> _format = FormatOption.Create(
        $"How the random weights are stored [default: {FormatOption.NameOf(DefaultFormat)}].");

    private readonly Option<int?> _prompt =
        TokenCount("--prompt-tokens", "-p", "Tokens of the prompt; 0 for no row of prefill [default: 512].");

    private readonly Option<int?> _generated =
        TokenCount("--generated-tokens", "-n", "Tokens to decode; 0 for no row of decoding [default: 64].");

    private readonly Option<int[]> _depths = new("--depth", "-d")
    {
        Description = "Tokens in the context before decoding, a row for each [default: 0].",
        HelpName = "0,4096",
        CustomParser = result =>
        {
            string[] parts = [.. result.Tokens.SelectMany(token => token.Value.Split(','))];
            int[] depths = new int[parts.Length];
            for (int i = 0; i < parts.Length; i++)
            {
                if (!int.TryParse(parts[i], NumberStyles.None, CultureInfo.InvariantCulture, out depths[i])
                    || depths[i] > MaxTokens)
                {
                    result.AddError(
                        $"--depth must be whole numbers from 0 to {MaxTokens} such as 0,4096, but one is '{parts[i]}'.");
                }
            }

            return depths;
        },
    };

    private readonly Option<int?> _repeat = NumberOption.Whole("--repeat", "Timed runs of each row [default: 3].", 1, MaxRepeat);

    private readonly Option<bool> _json = new("--json") { Description = "Write one JSON object per row." };

    /// <summary>Adds the options to a command.</summary>
    public void AddTo(Command command)
    {
        Option[] all =
            [_model, _download, _shape, _experts, _layers, _format, _prompt, _generated, _depths, _repeat, _json];
        foreach (Option option in all)
        {
            command.Add(option);
        }

        _compute.AddTo(command);

        command.Validators.Add(result =>
        {
            if (result.GetResult(_model) is null == result.GetResult(_shape) is null)
            {
                result.AddError("What to measure must be given in one way: --model or --shape.");
            }
            else if (result.GetResult(_model) is not null
                && new Option[] { _experts, _layers, _format }.FirstOrDefault(option => result.GetResult(option) is not null)
                    is { } option)
            {
                result.AddError($"{option.Name} says what --shape makes; it cannot be combined with --model.");
            }

            if (result.GetValue(_prompt) == 0 && result.GetValue(_generated) == 0)
            {
                result.AddError("There is nothing to measure: -p and -n are both 0.");
            }
        });
    }

    /// <summary>Whether results are wanted as JSON.</summary>
    public bool WantsJson(ParseResult result) => result.GetValue(_json);

    /// <summary>Reads what to measure of the model.</summary>
    public BenchSettings ReadSettings(ParseResult result) => new(
        result.GetValue(_prompt) ?? 512,
        result.GetValue(_generated) ?? 64,
        result.GetValue(_depths) is { Length: > 0 } depths ? depths : [0],
        result.GetValue(_repeat) ?? 3,
        _compute.Read(result));

    /// <summary>Reads which model it is, for whoever opens it, and finds it.</summary>
    public async Task<BenchTarget> ReadTargetAsync(ParseResult result, CommandTerminal terminal)
    {
        if (result.GetValue(_model) is { } model)
        {
            return new BenchTarget.Stored(await ModelFiles.FindAsync(model, result.GetValue(_download), terminal));
        }

        WeightFormat format = result.GetValue(_format) ?? DefaultFormat;
        return new BenchTarget.Random(
            result.GetRequiredValue(_shape),
            result.GetValue(_experts),
            result.GetValue(_layers),
            FormatOption.NameOf(format),
            format);
    }

    private static Option<string> Choice(string name, string description, string[] choices) => new(name)
    {
        Description = description,
        HelpName = string.Join('|', choices),
        CustomParser = result =>
        {
            string text = result.Tokens[0].Value;
            if (!choices.Contains(text))
            {
                result.AddError($"{name} must be one of {string.Join(", ", choices)}, but is '{text}'.");
            }

            return text;
        },
    };

    private static Option<int?> TokenCount(string name, string alias, string description)
    {
        Option<int?> option = NumberOption.Whole(name, description, 0, MaxTokens);
        option.Aliases.Add(alias);
        return option;
    }
}
