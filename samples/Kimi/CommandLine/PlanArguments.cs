using System.CommandLine;
using System.Globalization;
using KimiLinear.Pruning;
using KimiServer.CommandLine;

namespace Kimi.CommandLine;

/// <summary>The options that say by what experts are chosen, and how many are kept.</summary>
internal sealed class PlanArguments
{
    private readonly Option<string?> _criterion = new("--criterion")
    {
        Description = $"What a high value of keeps an expert: {string.Join(", ", PruningCriterionName.All)} [default: reap].",
        HelpName = "NAME",
    };

    private readonly Option<decimal?> _ratio = NumberOption.Create<decimal>(
        "--ratio",
        "The part of each layer's experts to drop, rounded down: 0.3 of 256 keeps 180.",
        "a number between 0 and 1",
        ratio => ratio is > 0 and < 1);

    private readonly Option<int?> _keep = NumberOption.Whole(
        "--keep", "How many experts each layer keeps, in place of --ratio.", 1);

    private readonly Option<string[]> _keepIn = new("--keep-in")
    {
        Description = "How many experts a single layer keeps, as 3=200; may be given more than once. Such a plan can be compared and "
            + "drawn, but a model can be written only when all layers keep the same number.",
        HelpName = "LAYER=N",
    };

    private readonly Option<string[]> _protect = new("--protect")
    {
        Description = "Experts of a layer that stay whatever their score, as 3=17,20; may be given more than once. Layers and experts "
            + "count from 0.",
        HelpName = "LAYER=N,N",
    };

    private readonly Option<SuperExpertProtection?> _protectSuper = CommonOptions.Choice(
        "--protect-super",
        "Also keep experts with outstandingly large outputs: 'early' in the first three quarters of the layers, 'all' in any.",
        new Dictionary<string, SuperExpertProtection>
        {
            ["early"] = SuperExpertProtection.EarlyLayers,
            ["all"] = SuperExpertProtection.AllLayers,
        });

    private readonly Option<int?> _multipleOf = NumberOption.Whole(
        "--multiple-of",
        "Keep more until the number can be divided by this: serving engines that spread experts over N devices ask for it "
        + "[default: 1].",
        1);

    private readonly Option<int?> _seed = NumberOption.Whole(
        "--seed", "What the criterion 'random' depends on [default: 0].", int.MinValue);

    public void AddTo(Command command)
    {
        foreach (Option option in (Option[])[_criterion, _ratio, _keep, _keepIn, _protect, _protectSuper, _multipleOf, _seed])
        {
            command.Add(option);
        }
    }

    /// <exception cref="CommandException">A value is none of those that are accepted.</exception>
    public PruningOptions Read(ParseResult result)
    {
        (decimal? ratio, int? keep) = (result.GetValue(_ratio), result.GetValue(_keep));
        return ratio is null == keep is null
            ? throw new CommandException("How many experts to keep must be said in one way: --ratio or --keep. See 'kimi plan --help'.")
            : new PruningOptions
            {
                Criterion = ReadCriterion(result.GetValue(_criterion)),
                Ratio = ratio,
                KeptExpertCount = keep,
                KeptExpertCountByLayer = ReadByLayer("--keep-in", result.GetValue(_keepIn), list => list is [int count]
                    ? count
                    : throw new CommandException("--keep-in must give each layer one number.")),
                ProtectedExperts = ReadByLayer("--protect", result.GetValue(_protect), list => list),
                SuperExperts = result.GetValue(_protectSuper) ?? SuperExpertProtection.None,
                MultipleOf = result.GetValue(_multipleOf) ?? 1,
                Seed = result.GetValue(_seed) ?? 0,
            };
    }

    private static PruningCriterion ReadCriterion(string? name)
    {
        try
        {
            return name is null ? PruningCriterion.Reap : PruningCriterionName.Parse(name);
        }
        catch (FormatException exception)
        {
            throw new CommandException($"--criterion: {exception.Message}");
        }
    }

    private static Dictionary<int, T> ReadByLayer<T>(string option, string[]? values, Func<IReadOnlyList<int>, T> read)
    {
        Dictionary<int, T> byLayer = [];
        foreach (string value in values ?? [])
        {
            string[] sides = value.Split('=');
            if (sides.Length != 2 || !TryParse(sides[0], out int layer) || ParseList(sides[1]) is not { } list)
            {
                throw new CommandException($"{option} must be a layer, '=' and whole numbers, as 3=17,20, but is '{value}'.");
            }

            if (!byLayer.TryAdd(layer, read(list)))
            {
                throw new CommandException($"{option} names layer {layer} more than once.");
            }
        }

        return byLayer;
    }

    private static int[]? ParseList(string text)
    {
        List<int> numbers = [];
        foreach (string part in text.Split(','))
        {
            if (!TryParse(part, out int number))
            {
                return null;
            }

            numbers.Add(number);
        }

        return [.. numbers];
    }

    private static bool TryParse(string text, out int number) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number);
}
