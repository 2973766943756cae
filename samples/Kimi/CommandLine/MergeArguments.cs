using System.CommandLine;
using KimiLinear.Pruning;
using KimiServer.CommandLine;

namespace Kimi.CommandLine;

/// <summary>The options that say how experts are merged, and into how many.</summary>
internal sealed class MergeArguments
{
    private static readonly Dictionary<string, MergeMethod> Methods = new()
    {
        ["hc-smoe"] = MergeMethod.HcSmoe,
        ["m-smoe"] = MergeMethod.MSmoe,
    };

    private static readonly Dictionary<string, ExpertSimilarity> Similarities = new()
    {
        ["mean-output"] = ExpertSimilarity.MeanOutput,
        ["token-outputs"] = ExpertSimilarity.TokenOutputs,
        ["router-logits"] = ExpertSimilarity.RouterLogits,
    };

    private static readonly Dictionary<string, ExpertDistance> Distances = new()
    {
        ["euclidean"] = ExpertDistance.Euclidean,
        ["cosine"] = ExpertDistance.Cosine,
        ["angular"] = ExpertDistance.Angular,
    };

    private readonly Option<decimal?> _ratio = NumberOption.Create<decimal>(
        "--ratio",
        "The part of the experts to merge away, rounded down: 0.3 of 20 leaves 14 groups.",
        "a number between 0 and 1",
        ratio => ratio is > 0 and < 1);

    private readonly Option<MergeMethod?> _method = CommonOptions.Choice(
        "--method",
        "'hc-smoe' clusters the experts of each layer by average linkage, the same number of groups everywhere, and averages them by "
        + "their visits; 'm-smoe' keeps the most visited experts of all layers and joins the others to the nearest, unit by unit "
        + "[default: hc-smoe].",
        Methods);

    private readonly Option<ExpertSimilarity?> _similarity = CommonOptions.Choice(
        "--similarity",
        "What experts are compared by: their mean output over all tokens, their outputs token by token, or the router's logits "
        + "[default: mean-output for hc-smoe, router-logits for m-smoe].",
        Similarities);

    private readonly Option<ExpertDistance?> _distance = CommonOptions.Choice(
        "--distance",
        "How far two of them are apart; token-outputs always takes the cosine [default: euclidean for hc-smoe, cosine for m-smoe].",
        Distances);

    private readonly Option<int?> _stepTokens = NumberOption.Whole(
        "--step-tokens", "The most tokens computed together [default: 512].", 1);

    public void AddTo(Command command)
    {
        foreach (Option option in (Option[])[_ratio, _method, _similarity, _distance, _stepTokens])
        {
            command.Add(option);
        }
    }

    /// <exception cref="CommandException">The ratio is missing.</exception>
    public MergeOptions Read(ParseResult result)
    {
        MergeOptions options = new()
        {
            Ratio = result.GetValue(_ratio) ?? throw new CommandException("'--ratio' is required. See 'kimi merge --help'."),
            Method = result.GetValue(_method) ?? MergeMethod.HcSmoe,
            Similarity = result.GetValue(_similarity),
            Distance = result.GetValue(_distance),
        };
        return result.GetValue(_stepTokens) is int count ? options with { StepTokens = count } : options;
    }

    /// <summary>The name of a method.</summary>
    public static string NameOf(MergeMethod method) => Methods.Single(pair => pair.Value == method).Key;
}
