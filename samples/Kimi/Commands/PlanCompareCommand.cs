using System.CommandLine;
using Kimi.Terminal;
using KimiLinear.Pruning;

namespace Kimi.Commands;

/// <summary>Tells where two plans keep different experts.</summary>
internal static class PlanCompareCommand
{
    public static readonly string[] Examples = ["kimi plan compare PLAN.json OTHER.json"];

    public static Command Create(CommandTerminal terminal)
    {
        Argument<string> first = new("PLAN") { Description = "A plan." };
        Argument<string> second = new("OTHER") { Description = "Another plan for the same model." };
        Command command = new(
            "compare",
            "Tells, layer by layer, which experts only one of two plans keeps. The overlap is the experts that both keep as a part of "
            + "those that at least one keeps.")
        {
            first, second,
        };
        command.SetAction(result =>
        {
            PlanDifference difference = PruningPlan.Load(result.GetRequiredValue(first))
                .CompareWith(PruningPlan.Load(result.GetRequiredValue(second)));
            Write(difference, terminal);
        });
        return command;
    }

    private static void Write(PlanDifference difference, CommandTerminal terminal)
    {
        if (difference.IsEmpty)
        {
            terminal.Output.WriteLine($"Both keep the same experts in all {difference.Layers.Count} layers.");
            return;
        }

        TextTable table = new("layer", "both", "overlap", "only in the first", "only in the second");
        foreach (LayerDifference layer in difference.Layers)
        {
            table.Add(
                $"{layer.LayerIndex}",
                $"{layer.SharedCount}",
                $"{layer.Overlap:0.000}",
                string.Join(',', layer.OnlyInFirst),
                string.Join(',', layer.OnlyInSecond) + (layer.HasSameOrder ? "" : " (and another order)"));
        }

        table.WriteTo(terminal);
        terminal.Output.WriteLine($"Overlap over all layers: {difference.Overlap:0.000}");
    }
}
