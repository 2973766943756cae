using System.CommandLine;
using System.Text.Json;
using Kimi.CommandLine;
using Kimi.Inspection;
using Kimi.Terminal;
using KimiLinear.Model;
using KimiLinear.Tokenization;

namespace Kimi.Commands;

/// <summary>Shows what a model's files hold, without loading it.</summary>
internal static class InspectCommand
{
    public static readonly string[] Examples =
    [
        "kimi inspect MODEL",
        "kimi inspect MODEL --json | jq .parameters",
        "kimi inspect --devices",
    ];

    private const string VocabularyFileName = "tiktoken.model";
    private const string GgufExtension = ".gguf";

    public static Command Create(CommandTerminal terminal)
    {
        Argument<string?> model = new("MODEL")
        {
            Description = "The model's folder, where a config.json alone is enough, a GGUF file, or a name on the hub.",
            Arity = ArgumentArity.ZeroOrOne,
        };
        Option<bool> download = CommonOptions.Download();
        Option<bool> devices = new("--devices")
        {
            Description = "Show what this machine can compute on, or why not, in place of a model.",
        };
        Option<bool> json = new("--json") { Description = "Write everything as one JSON object." };
        Command command = new("inspect", "Shows what a model holds: configuration, layers, parameters, memory, tokenizer.")
        {
            model, download, json, devices,
        };
        command.Validators.Add(result =>
        {
            if (result.GetResult(model) is { Tokens.Count: > 0 } == result.GetValue(devices))
            {
                result.AddError("What to show must be given in one way: a MODEL or --devices.");
            }
        });
        command.SetAction(async (result, cancellationToken) =>
        {
            if (result.GetValue(devices))
            {
                DeviceReport.Write(terminal, result.GetValue(json));
                return;
            }

            string modelPath = await ModelFiles.FindAsync(result.GetRequiredValue(model)!, result.GetValue(download), terminal);
            ModelSummary summary = ModelSummary.Inspect(modelPath);
            bool hasTokenizer = File.Exists(Path.Combine(modelPath, VocabularyFileName))
                || summary.WeightFiles.Any(file => file.EndsWith(GgufExtension, StringComparison.OrdinalIgnoreCase));
            KimiTokenizer? tokenizer = hasTokenizer ? KimiTokenizer.Load(modelPath) : null;
            if (result.GetValue(json))
            {
                terminal.Output.WriteLine(JsonSerializer.Serialize(ModelFacts.Of(summary, tokenizer), JsonText.Indented));
            }
            else
            {
                ModelReport.Write(terminal, summary, tokenizer);
            }
        });
        return command;
    }
}
