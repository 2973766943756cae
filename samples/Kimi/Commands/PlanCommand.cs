using System.CommandLine;
using Kimi.CommandLine;
using Kimi.Terminal;
using KimiLinear.Pruning;

namespace Kimi.Commands;

/// <summary>Chooses which experts of a model to keep.</summary>
internal static class PlanCommand
{
    public static readonly string[] Examples =
    [
        "kimi plan --obs OBS.json --ratio 0.3 --out PLAN.json",
        "kimi plan --obs monday.json tuesday.json --keep 180 --draw MAP.svg --out PLAN.json",
        "kimi plan --obs OBS.json --keep 180 --multiple-of 8 --protect 3=17,20 --out PLAN.json",
        "kimi plan --obs OBS.json --ratio 0.3 --criterion random --seed 1 --out PLAN.json",
        "kimi plan compare PLAN.json OTHER.json",
        "kimi plan recover ORIGINAL PRUNED --out PLAN.json",
    ];

    private const string Details =
        "Chooses which experts of a model to keep, by what 'kimi observe' saw of them: the second step of pruning, before 'kimi prune'. "
        + "In each layer the experts with the lowest scores go. The plan is a JSON file with a line of kept experts for each layer; it "
        + "may be edited, and is checked when it is read. See docs/pruning.md.";

    public static Command Create(CommandTerminal terminal)
    {
        Option<string[]> observations = new("--obs")
        {
            Description = "What 'kimi observe' wrote; several of the same model are added up.",
            HelpName = "OBS.json",
            AllowMultipleArgumentsPerToken = true,
        };
        PlanArguments arguments = new();
        Option<string?> path = new("--out") { Description = "The plan to write.", HelpName = "PLAN.json" };
        Option<string?> picture = new("--draw")
        {
            Description = "Also draw the scores by layer and expert, with what is dropped crossed out.",
            HelpName = "MAP.svg",
        };
        Command command = new("plan", Details) { observations };
        arguments.AddTo(command);
        command.Add(path);
        command.Add(picture);
        command.SetAction(result =>
        {
            if (result.GetValue(observations) is not { Length: > 0 } files || result.GetValue(path) is not { } target)
            {
                throw new CommandException("'--obs' and '--out' are required. See 'kimi plan --help'.");
            }

            PruningOptions options = arguments.Read(result);
            OutputFile.RequireWritable("--out", target);
            if (result.GetValue(picture) is { } drawing)
            {
                OutputFile.RequireWritable("--draw", drawing);
            }

            ExpertStatistics statistics = Load(files);
            PruningPlan plan = PruningPlan.Create(statistics, options);
            plan.Save(target);
            if (result.GetValue(picture) is { } map)
            {
                plan.Draw(map);
            }

            terminal.Output.WriteLine($"{target}: {Describe(plan)}");
            terminal.Output.WriteLine(
                $"They take {KeptTraffic(plan, statistics):P1} of the routed tokens and have {KeptMass(plan, statistics):P1} of the sum "
                + "of weight times norm.");
        });
        return command;
    }

    /// <summary>What a plan does, in one sentence.</summary>
    public static string Describe(PruningPlan plan)
    {
        int before = plan.Layers.Count * plan.Model.ExpertCount;
        int after = plan.Layers.Sum(layer => layer.KeptExperts.Count);
        string each = plan.KeptExpertCount is int count
            ? $"{count} of {plan.Model.ExpertCount} experts in each of {plan.Layers.Count} layers"
            : $"{after} of {before} experts in {plan.Layers.Count} layers, not the same number in each";
        return $"keeps {each} (criterion: {plan.Criterion}).";
    }

    private static ExpertStatistics Load(string[] files)
    {
        ExpertStatistics statistics = ExpertStatistics.Load(files[0]);
        foreach (string file in files.Skip(1))
        {
            statistics.Add(ExpertStatistics.Load(file));
        }

        return statistics;
    }

    private static double KeptTraffic(PruningPlan plan, ExpertStatistics statistics) =>
        Share(plan, statistics, (layer, expert) => layer.TokenCounts[expert]);

    private static double KeptMass(PruningPlan plan, ExpertStatistics statistics) =>
        Share(plan, statistics, (layer, expert) => layer.GatedNormSums[expert]);

    private static double Share(
        PruningPlan plan, ExpertStatistics statistics, Func<LayerStatistics, int, double> measure)
    {
        double kept = plan.Layers.Sum(
            layer => layer.KeptExperts.Sum(expert => measure(statistics.GetLayer(layer.LayerIndex), expert)));
        double all = statistics.Layers.Sum(layer => Enumerable.Range(0, layer.ExpertCount).Sum(expert => measure(layer, expert)));
        return all == 0 ? 1 : kept / all;
    }
}
