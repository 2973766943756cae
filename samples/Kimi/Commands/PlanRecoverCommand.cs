using System.CommandLine;
using Kimi.CommandLine;
using Kimi.Terminal;
using KimiLinear.Pruning;

namespace Kimi.Commands;

/// <summary>Reads a plan off a pruned model.</summary>
internal static class PlanRecoverCommand
{
    public static readonly string[] Examples =
    [
        "kimi plan recover ORIGINAL PRUNED --out PLAN.json",
    ];

    public static Command Create(CommandTerminal terminal)
    {
        Argument<string> original = new("ORIGINAL") { Description = "The model before: its folder, GGUF file or name on the hub." };
        Argument<string> pruned = new("PRUNED") { Description = "The model after, stored in the same format." };
        Option<string> path = new("--out") { Description = "The plan to write.", HelpName = "PLAN.json", Required = true };
        Command command = new(
            "recover",
            "Reads the plan off a pruned model, whoever pruned it: finds each of its experts in the original, byte by byte.")
        {
            original, pruned, path,
        };
        command.SetAction(async (result, cancellationToken) =>
        {
            string target = result.GetRequiredValue(path);
            OutputFile.RequireWritable("--out", target);
            string before = await ModelFiles.FindAsync(result.GetRequiredValue(original), download: false, terminal);
            string after = await ModelFiles.FindAsync(result.GetRequiredValue(pruned), download: false, terminal);
            PruningPlan? plan = null;
            PruneProgressBar.Run(
                "reading the models", progress => plan = PruningPlan.Recover(before, after, progress, terminal.Interrupts.Token));
            plan!.Save(target);
            terminal.Output.WriteLine($"{target}: {PlanCommand.Describe(plan)}");
        });
        return command;
    }
}
