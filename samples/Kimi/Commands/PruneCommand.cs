using System.CommandLine;
using Kimi.CommandLine;
using Kimi.Terminal;
using KimiLinear.Model;
using KimiLinear.Pruning;

namespace Kimi.Commands;

/// <summary>Writes a copy of a model without some of its experts.</summary>
internal static class PruneCommand
{
    public static readonly string[] Examples =
    [
        "kimi prune MODEL TARGET --plan PLAN.json      the same again goes on after Ctrl+C or a crash",
        "kimi inspect TARGET",
    ];

    private const string Details =
        "Writes a copy of a model without the experts that a plan drops: the last step of pruning, after 'kimi observe' and 'kimi plan'. "
        + "Nothing is computed: tensors are copied byte by byte, experts numbered anew, and of the configuration the number of experts "
        + "changes. The copy is stored as the source is, packed or plain, safetensors or GGUF, and a README.md tells how it was made. "
        + "It needs the room of the copy on the disk, and little memory whatever the model's size.";

    public static Command Create(CommandTerminal terminal)
    {
        Argument<string> source = new("MODEL") { Description = "The model: its folder, its GGUF file, or its name on the hub." };
        Argument<string> target = new("TARGET") { Description = "The folder to make; it must not exist." };
        Option<string> plan = new("--plan")
        {
            Description = "Which experts to keep, as 'kimi plan' writes it.",
            HelpName = "PLAN.json",
            Required = true,
        };
        Option<bool> download = CommonOptions.Download();
        Command command = new("prune", Details) { source, target, plan, download };
        command.SetAction(async (result, cancellationToken) =>
        {
            PruningPlan choice = PruningPlan.Load(result.GetRequiredValue(plan));
            string from = await ModelFiles.FindAsync(result.GetRequiredValue(source), result.GetValue(download), terminal);
            Prune(from, result.GetRequiredValue(target), choice, terminal);
        });
        return command;
    }

    private static void Prune(string source, string target, PruningPlan plan, CommandTerminal terminal)
    {
        try
        {
            PruneProgressBar.Run(
                "reading the model",
                progress => CheckpointPruner.Prune(source, target, plan, progress, terminal.Interrupts.Token));
        }
        catch (OperationCanceledException)
        {
            Console.Error.WriteLine("kimi: stopped; the same command goes on after the last finished file.");
            throw;
        }

        ModelSummary before = ModelSummary.Inspect(source);
        ModelSummary after = ModelSummary.Inspect(target);
        terminal.Output.WriteLine(
            $"{target}: {after.Config.ExpertCount} experts a layer, {after.ParameterCount:N0} parameters, "
            + $"{ByteText.Of(after.WeightFileBytes)}; they were {before.Config.ExpertCount}, {before.ParameterCount:N0} and "
            + $"{ByteText.Of(before.WeightFileBytes)}.");
    }
}
