using System.CommandLine;
using Kimi.CommandLine;
using Kimi.Terminal;
using KimiLinear.Pruning;

namespace Kimi.Commands;

/// <summary>Draws a plan.</summary>
internal static class PlanDrawCommand
{
    public static readonly string[] Examples = ["kimi plan draw PLAN.json --out MAP.svg"];

    public static Command Create(CommandTerminal terminal)
    {
        Argument<string> plan = new("PLAN") { Description = "The plan." };
        Option<string> path = new("--out")
        {
            Description = "The picture to write; a browser shows it, and each expert's score where the pointer rests.",
            HelpName = "MAP.svg",
            Required = true,
        };
        Command command = new("draw", "Draws the scores of a plan by layer and expert, with what is dropped crossed out.") { plan, path };
        command.SetAction(result =>
        {
            string target = result.GetRequiredValue(path);
            OutputFile.RequireWritable("--out", target);
            PruningPlan.Load(result.GetRequiredValue(plan)).Draw(target);
            terminal.Output.WriteLine(target);
        });
        return command;
    }
}
