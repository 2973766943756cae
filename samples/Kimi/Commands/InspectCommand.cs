using System.CommandLine;
using System.Text.Json;
using Kimi.CommandLine;
using Kimi.Inspection;
using Kimi.Terminal;
using KimiLinear.Model;
using KimiLinear.Tokenization;

namespace Kimi.Commands;

/// <summary>Shows what a model folder holds, without loading it.</summary>
internal static class InspectCommand
{
    public static readonly string[] Examples =
    [
        "kimi inspect DIR",
        "kimi inspect DIR --json | jq .parameters",
    ];

    private const string VocabularyFileName = "tiktoken.model";

    public static Command Create(CommandTerminal terminal)
    {
        Argument<string> folder = new("DIR") { Description = "The model's folder; a config.json alone is enough." };
        Option<bool> json = new("--json") { Description = "Write everything as one JSON object." };
        Command command = new("inspect", "Shows what a model folder holds: configuration, layers, parameters, memory, tokenizer.")
        {
            folder, json,
        };
        command.SetAction((result, cancellationToken) =>
        {
            string directory = result.GetRequiredValue(folder);
            ModelFolder.Require(directory);
            ModelSummary summary = ModelSummary.Inspect(directory);
            bool hasTokenizer = File.Exists(Path.Combine(directory, VocabularyFileName));
            KimiTokenizer? tokenizer = hasTokenizer ? KimiTokenizer.Load(directory) : null;
            if (result.GetValue(json))
            {
                terminal.Output.WriteLine(JsonSerializer.Serialize(ModelFacts.Of(summary, tokenizer), JsonText.Indented));
            }
            else
            {
                ModelReport.Write(terminal, summary, tokenizer);
            }

            return Task.CompletedTask;
        });
        return command;
    }
}
