using System.CommandLine;
using System.Globalization;
using Kimi.CommandLine;
using Kimi.Terminal;
using KimiLinear.Backends;
using KimiLinear.Configuration;
using KimiLinear.Model;
using KimiLinear.Pruning;
using KimiLinear.Tensors;
using KimiServer.CommandLine;

namespace Kimi.Commands;

/// <summary>Watches which experts calibration data visits.</summary>
internal static class ObserveCommand
{
    public static readonly string[] Examples =
    [
        "kimi observe --model MODEL --data code.jsonl chat.jsonl --out OBS.json",
        "kimi observe --model MODEL --data code.jsonl --out OBS.json     the same again goes on after Ctrl+C or a crash",
        "kimi observe --model MODEL --data code.jsonl chat.jsonl --weights 3,1 --tokens 2000000 --seed 1 --out OBS.json",
        "kimi observe --model MODEL --data code.jsonl --out OBS.json --layer-wise     for a model larger than the memory",
        "kimi observe --model MODEL --data-spec \"evol-codealpaca-v1:4096, SWE-smith-trajectories(tool):4096\" --data-folder DIR "
            + "--out OBS.json",
        "kimi observe --merge monday.json tuesday.json --out OBS.json",
    ];

    private const string Details =
        "Watches which experts of a model calibration data visits and how much they put out: the first step of pruning. The result "
        + "is a JSON file with, per layer and expert, the tokens routed to it (token_count), the REAP saliency, which is the mean of "
        + "weight times output norm over those tokens (saliency), and sums that other criteria need. See docs/pruning.md.";

    public static Command Create(CommandTerminal terminal)
    {
        Option<string?> model = new("--model", "-m")
        {
            Description = "The model's folder, a GGUF file, or a name on the hub.",
            HelpName = "MODEL",
        };
        Option<bool> download = CommonOptions.Download();
        CalibrationArguments calibration = new();
        Option<string> path = new("--out")
        {
            Description = "The file to write. What is done so far lies beside it in a folder with '.partial' behind its name, and the "
                + "same command goes on from there.",
            HelpName = "OBS.json",
            Required = true,
        };
        Option<GateMode?> gate = GateOption.Create();
        Option<bool> outputSums = new("--output-sums")
        {
            Description = "Also sum up the outputs of each expert, which 'kimi plan --criterion ean-ca' needs. It takes 8 bytes for each "
                + "layer, expert and hidden dimension in memory, and a third more in the file.",
        };
        Option<bool> layerWise = new("--layer-wise")
        {
            Description = "Hold one layer's weights in memory at a time. What lies between layers is kept on the disk of --out: 8 "
                + "bytes for each token and hidden dimension.",
        };
        Option<int?> stepTokens = NumberOption.Whole("--step-tokens", "The most tokens computed together [default: 1024].", 1);
        Option<double?> saveEvery = NumberOption.Create<double>(
            "--save-every",
            "Save what is done so far after so many seconds [default: 30].",
            "a number of seconds from 0 to 86400",
            seconds => seconds is >= 0 and <= 86_400);
        Option<string[]> merge = new("--merge")
        {
            Description = "Instead of observing, add up observations of the same model that were made before, of parts of the data or "
                + "on other machines.",
            HelpName = "OBS.json",
            AllowMultipleArgumentsPerToken = true,
        };
        ComputeArguments compute = new();
        Command command = new("observe", Details) { model, download };
        calibration.AddTo(command);
        foreach (Option option in (Option[])[path, gate, outputSums, layerWise, stepTokens, saveEvery, merge])
        {
            command.Add(option);
        }

        compute.AddTo(command);
        command.SetAction(async (result, cancellationToken) =>
        {
            string resultPath = result.GetRequiredValue(path);
            OutputFile.RequireWritable("--out", resultPath);
            if (result.GetValue(merge) is { Length: > 0 } parts)
            {
                bool alsoObserves = result.GetValue(model) is not null || calibration.AreGiven(result) || result.GetValue(outputSums);
                Merge(parts, resultPath, alsoObserves, terminal);
                return;
            }

            if (result.GetValue(model) is not { } name || !calibration.AreGiven(result))
            {
                throw new CommandException("'--model' and '--data' are required (or '--data-spec'), or else '--merge'. See 'kimi observe --help'.");
            }

            string modelPath = await ModelFiles.FindAsync(name, result.GetValue(download), terminal);
            KimiLinearConfig config = ModelFiles.LoadConfig(modelPath);
            CalibrationTokens data = CalibrationData.Read(
                modelPath, calibration.ReadFiles(result), calibration.ReadOptions(result, config), terminal);
            ObservationOptions options = new()
            {
                GateMode = result.GetValue(gate) ?? GateMode.Model,
                SumsOutputs = result.GetValue(outputSums),
                ResultPath = resultPath,
            };
            options = result.GetValue(stepTokens) is int count ? options with { StepTokens = count } : options;
            options = result.GetValue(saveEvery) is double seconds
                ? options with { SaveInterval = TimeSpan.FromSeconds(seconds) }
                : options;
            ModelLoadOptions load = ForObserving(compute.Read(result));
            Observe(modelPath, data, options, load, result.GetValue(layerWise), terminal);
        });
        return command;
    }

    // Where nothing else is asked for, exactly, and the same however many tokens a step has.
    private static ModelLoadOptions ForObserving(ModelLoadOptions options) => options with
    {
        Device = options.Device.Kind == ComputeDeviceKind.Auto ? ComputeDevice.Cpu : options.Device,
        Activations = options.Activations == ActivationPrecision.Auto ? ActivationPrecision.Int16 : options.Activations,
    };

    private static void Observe(
        string modelPath,
        CalibrationTokens data,
        ObservationOptions options,
        ModelLoadOptions load,
        bool isLayerWise,
        CommandTerminal terminal)
    {
        bool wasThere = File.Exists(options.ResultPath);
        ExpertStatistics statistics;
        try
        {
            if (isLayerWise)
            {
                statistics = ObservationProgressBar.Run("observing", progress => ExpertObserver.ObserveLayerWise(
                    modelPath, data, options, load, progress, terminal.Interrupts.Token));
            }
            else
            {
                using KimiLinearModel model = ModelFiles.Load(modelPath, load, terminal);
                statistics = ObservationProgressBar.Run("observing", progress => ExpertObserver.Observe(
                    model, data, options, progress, terminal.Interrupts.Token));
            }
        }
        catch (OperationCanceledException)
        {
            Console.Error.WriteLine("kimi: stopped; the same command goes on from what was saved last.");
            throw;
        }

        if (wasThere)
        {
            terminal.Output.WriteLine($"{options.ResultPath} was there already, made of the same.");
        }

        Describe(options.ResultPath!, statistics, terminal);
    }

    private static void Merge(string[] parts, string resultPath, bool alsoObserves, CommandTerminal terminal)
    {
        if (alsoObserves)
        {
            throw new CommandException("--merge adds up what was observed before; it cannot be combined with --model, --data and --output-sums.");
        }

        if (File.Exists(resultPath))
        {
            throw new CommandException($"'{resultPath}' exists already. Remove it, or choose another file for --out.");
        }

        ExpertStatistics sum = ExpertStatistics.Load(parts[0]);
        foreach (string part in parts.Skip(1))
        {
            try
            {
                sum.Add(ExpertStatistics.Load(part));
            }
            catch (ArgumentException exception)
            {
                throw new CommandException($"'{part}' cannot be added to '{parts[0]}'. {exception.Message}", exception);
            }
        }

        sum.Save(resultPath);
        Describe(resultPath, sum, terminal);
    }

    private static void Describe(string path, ExpertStatistics statistics, CommandTerminal terminal)
    {
        int unseen = statistics.Layers.Sum(layer => layer.TokenCounts.Count(count => count == 0));
        terminal.Output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{path}: {statistics.TokenCount:N0} tokens through {statistics.Layers.Count} layers of {statistics.Model.ExpertCount} "
            + $"experts, of which {unseen} were visited by none."));
    }
}
