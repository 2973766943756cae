using System.CommandLine;
using System.Globalization;
using Kimi.CommandLine;
using Kimi.Terminal;
using KimiLinear.Configuration;
using KimiLinear.Pruning;

namespace Kimi.Commands;

/// <summary>Writes a copy of a small model with experts merged, to compare pruning with.</summary>
internal static class MergeCommand
{
    public static readonly string[] Examples =
    [
        "kimi merge MODEL TARGET --data code.jsonl chat.jsonl --ratio 0.3",
        "kimi merge MODEL TARGET --data code.jsonl --ratio 0.3 --method m-smoe",
        "kimi merge MODEL TARGET --data code.jsonl --ratio 0.5 --similarity token-outputs --tokens 20000 --seed 1",
        "kimi eval perplexity --help     what merging has cost",
    ];

    private const string Details =
        "Writes a copy of a model in which experts that are alike are averaged, instead of dropped as 'kimi prune' does: to compare "
        + "pruning with. Calibration data tells which are alike. Every expert computes every token in plain loops, so this is for models "
        + "of some megabytes, stored in safetensors as plain numbers. Merged experts stand in all the places of those they were made of, "
        + "and the router stays as it is: the copy is as large as the model. See docs/pruning.md.";

    public static Command Create(CommandTerminal terminal)
    {
        Argument<string> source = new("MODEL") { Description = "The model: its folder, or its name on the hub." };
        Argument<string> target = new("TARGET") { Description = "The folder to make; it must not exist." };
        Option<bool> download = CommonOptions.Download();
        MergeArguments arguments = new();
        CalibrationArguments calibration = new();
        Command command = new("merge", Details) { source, target, download };
        arguments.AddTo(command);
        calibration.AddTo(command);
        command.SetAction(async (result, cancellationToken) =>
        {
            if (!calibration.AreGiven(result))
            {
                throw new CommandException("'--data' (or '--data-spec') is required. See 'kimi merge --help'.");
            }

            MergeOptions options = arguments.Read(result);
            string path = result.GetRequiredValue(target);
            if (Path.Exists(path))
            {
                throw new CommandException($"'{path}' exists already. Remove it, or choose another folder for TARGET.");
            }

            OutputFile.RequireWritableFolder("TARGET", path);
            string from = await ModelFiles.FindAsync(result.GetRequiredValue(source), result.GetValue(download), terminal);
            KimiLinearConfig config = ModelFiles.LoadConfig(from);
            CalibrationTokens data = CalibrationData.Read(
                from, calibration.ReadFiles(result), calibration.ReadOptions(result, config), terminal);
            Merge(from, path, data, options, config, terminal);
        });
        return command;
    }

    private static void Merge(
        string source,
        string target,
        CalibrationTokens data,
        MergeOptions options,
        KimiLinearConfig config,
        CommandTerminal terminal)
    {
        IReadOnlyDictionary<int, IReadOnlyList<int[]>> groups;
        try
        {
            groups = ObservationProgressBar.Run(
                "reading the model",
                progress => ExpertMerger.Merge(source, target, data, options, progress, terminal.Interrupts.Token));
        }
        catch (OperationCanceledException)
        {
            Console.Error.WriteLine("kimi: stopped; nothing was written.");
            throw;
        }

        int count = groups.Values.Sum(layer => layer.Count);
        int merged = groups.Values.Sum(layer => layer.Where(group => group.Length > 1).Sum(group => group.Length));
        int largest = groups.Values.Max(layer => layer.Max(group => group.Length));
        terminal.Output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{target}: {count} groups of the {groups.Count * config.ExpertCount} experts in {groups.Count} layers (method: "
            + $"{MergeArguments.NameOf(options.Method)}). {merged} experts were merged, at most {largest} into one."));
    }
}
