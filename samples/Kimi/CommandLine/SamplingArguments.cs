using System.CommandLine;
using KimiLinear.Sampling;

namespace Kimi.CommandLine;

/// <summary>The options that say how tokens are drawn.</summary>
internal sealed class SamplingArguments
{
    private readonly Option<bool> _greedy = new("--greedy") { Description = "Always take the most likely token." };
    private readonly Option<float?> _temperature = Number("--temperature", "Flattens or sharpens the probabilities, 0 or more; 0 is greedy");
    private readonly Option<int?> _topK = new("--top-k") { Description = "Keep the N most likely tokens; 0 keeps all.", HelpName = "N" };
    private readonly Option<float?> _topP = Number("--top-p", "Keep the most likely tokens that together reach probability P, up to 1");
    private readonly Option<float?> _minP = Number("--min-p", "Keep tokens at least P times as likely as the best, 0 to 1");
    private readonly Option<ulong?> _seed = new("--seed") { Description = "Makes the draw repeatable.", HelpName = "N" };

    /// <summary>Adds the options to a command.</summary>
    public void AddTo(Command command)
    {
        foreach (Option option in All())
        {
            command.Add(option);
        }

        command.Validators.Add(result =>
        {
            bool draws = All().Any(option => option != _greedy && result.GetResult(option) is { Implicit: false });
            if (result.GetResult(_greedy) is { Implicit: false } && draws)
            {
                result.AddError("--greedy always takes the most likely token; it cannot be combined with options for drawing.");
            }
        });
    }

    /// <summary>Reads what was asked for; <see langword="null"/> when nothing was, so that the model's own advice holds.</summary>
    public SamplingOptions? Read(ParseResult result, SamplingOptions recommended)
    {
        if (result.GetValue(_greedy))
        {
            return new SamplingOptions { Temperature = 0 };
        }

        if (All().All(option => result.GetResult(option) is null or { Implicit: true }))
        {
            return null;
        }

        try
        {
            return recommended with
            {
                Temperature = result.GetValue(_temperature) ?? recommended.Temperature,
                TopK = result.GetValue(_topK) ?? recommended.TopK,
                TopP = result.GetValue(_topP) ?? recommended.TopP,
                MinP = result.GetValue(_minP) ?? recommended.MinP,
                Seed = result.GetValue(_seed),
            };
        }
        catch (ArgumentOutOfRangeException exception)
        {
            throw new CommandException(OptionMessage(exception), exception);
        }
    }

    private Option[] All() => [_greedy, _temperature, _topK, _topP, _minP, _seed];

    private static Option<float?> Number(string name, string description) =>
        new(name) { Description = $"{description} [default: as the model recommends].", HelpName = "P" };

    // The library names the property; a user knows the option.
    private string OptionMessage(ArgumentOutOfRangeException exception)
    {
        string option = exception.ParamName switch
        {
            nameof(SamplingOptions.TopK) => _topK.Name,
            nameof(SamplingOptions.TopP) => _topP.Name,
            nameof(SamplingOptions.MinP) => _minP.Name,
            _ => _temperature.Name,
        };
        string rule = exception.Message[..exception.Message.IndexOf(". (Parameter", StringComparison.Ordinal)];
        return $"{rule.Replace(exception.ParamName!, option, StringComparison.Ordinal)}, but is {exception.ActualValue}.";
    }
}
