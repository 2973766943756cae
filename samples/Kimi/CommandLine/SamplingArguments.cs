using System.CommandLine;
using KimiLinear.Sampling;
using KimiServer.CommandLine;

namespace Kimi.CommandLine;

/// <summary>The options that say how tokens are drawn.</summary>
internal sealed class SamplingArguments
{
    private const string Default = "[default: as the model recommends]";

    private readonly Option<bool> _greedy = new("--greedy") { Description = "Always take the most likely token." };

    private readonly Option<float?> _temperature = NumberOption.Create<float>(
        "--temperature", $"Flattens or sharpens the probabilities; 0 is greedy {Default}.",
        "a number, at least 0", value => float.IsFinite(value) && value >= 0);

    private readonly Option<int?> _topK = NumberOption.Whole(
        "--top-k", $"Keeps the N most likely tokens; 0 keeps all {Default}.", 0);

    private readonly Option<float?> _topP = NumberOption.Create<float>(
        "--top-p", $"Keeps the most likely tokens that together reach this probability {Default}.",
        "a number above 0 and at most 1", value => value is > 0 and <= 1);

    private readonly Option<float?> _minP = NumberOption.Create<float>(
        "--min-p", "Keeps the tokens at least N times as likely as the best one [default: 0].",
        "a number from 0 to 1", value => value is >= 0 and <= 1);

    private readonly Option<ulong?> _seed = NumberOption.Whole<ulong>("--seed", "Makes the draw repeatable.", 0);

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

    /// <summary>Reads what was asked for; <see langword="null"/> when nothing was, so that the model's advice holds.</summary>
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

        return recommended with
        {
            Temperature = result.GetValue(_temperature) ?? recommended.Temperature,
            TopK = result.GetValue(_topK) ?? recommended.TopK,
            TopP = result.GetValue(_topP) ?? recommended.TopP,
            MinP = result.GetValue(_minP) ?? recommended.MinP,
            Seed = result.GetValue(_seed),
        };
    }

    private Option[] All() => [_greedy, _temperature, _topK, _topP, _minP, _seed];
}
