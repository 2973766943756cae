using System.CommandLine;
using Kimi.CommandLine;
using Kimi.Evaluation;
using Kimi.Evaluation.Perplexity;
using Kimi.Evaluation.Runs;
using Kimi.Terminal;
using KimiLinear.Checkpoints;
using KimiLinear.Configuration;
using KimiLinear.Model;
using KimiServer.CommandLine;

namespace Kimi.Commands;

/// <summary>Measures how well a model foresees texts, and how far it is from another.</summary>
internal static class EvalPerplexityCommand
{
    public static readonly string[] Examples =
    [
        "kimi eval perplexity --model MODEL --data texts.jsonl --out runs/perplexity",
        "kimi eval perplexity --model PRUNED --reference MODEL --data texts.jsonl --out runs/pruned-kl",
        "echo '{\"text\":\"Once upon a time there was a fox.\"}' > texts.jsonl      or {\"messages\":[…]}, or {\"ids\":[1,2,3]}",
    ];

    private const int DefaultMaxLength = 4096;

    private const long DefaultSeed = 42;

    public static Command Create(CommandTerminal terminal)
    {
        Option<string> model = CommonOptions.Model();
        Option<bool> download = CommonOptions.Download();
        Option<string?> reference = new("--reference")
        {
            Description = "Another model of the same vocabulary, from which the divergence is measured.",
            HelpName = "MODEL",
        };
        Option<string> data = new("--data", "-d")
        {
            Description = "A document a line: {\"text\":…}, {\"messages\":[…]} or {\"ids\":[…]}.",
            HelpName = "FILE",
            Required = true,
        };
        Option<string> folderPath = new("--out", "-o")
        {
            Description = "The folder of the run: items.jsonl, report.json, report.md. The same command continues it.",
            HelpName = "DIR",
            Required = true,
        };
        Option<int?> limit = NumberOption.Whole("--limit", "Only the file's first N documents [default: all].", 1);
        Option<int?> maxLength = NumberOption.Whole(
            "--max-length", $"The most tokens of a document [default: {DefaultMaxLength}].", 2);
        Option<long?> seed = NumberOption.Whole<long>("--seed", $"Seed of the intervals' draws [default: {DefaultSeed}].", 0);
        Option<WeightFormat?> format = FormatOption.ForLoading();
        ComputeArguments compute = new();
        Command command = new(
            "perplexity",
            "Measures how well a model foresees texts; with --reference also how far its predictions are from another model's.")
        {
            model, download, reference, data, folderPath, limit, maxLength, seed, format,
        };
        compute.AddTo(command);
        command.SetAction(async (result, cancellationToken) =>
        {
            string target = result.GetRequiredValue(folderPath);
            OutputFile.RequireWritableFolder("--out", target);
            DataFile file = DataFile.Open(result.GetRequiredValue(data));
            string path = await FindAsync(result.GetRequiredValue(model));
            string? referencePath = result.GetValue(reference) is { } other ? await FindAsync(other) : null;
            KimiLinearConfig config = ModelFiles.LoadConfig(path);
            RequireSameVocabulary(config, referencePath);
            int longest = Math.Min(result.GetValue(maxLength) ?? DefaultMaxLength, config.MaxContextTokens);
            DocumentReader reader = new(path, config.VocabularySize);
            int[][] documents =
            [
                .. file.Records().Take(result.GetValue(limit) ?? int.MaxValue).Select(reader.Read)
                    .Select(ids => ids[..Math.Min(ids.Length, longest)]),
            ];
            WeightFormat? converted = result.GetValue(format);
            using KimiLinearModel loaded = ModelFiles.Load(path, compute.Read(result, converted), terminal);
            using KimiLinearModel? loadedReference =
                referencePath is null ? null : ModelFiles.Load(referencePath, compute.Read(result), terminal);
            PerplexityProtocol protocol = new()
            {
                Data = Path.GetFileName(file.Path),
                DataSha256 = file.Sha256,
                Documents = documents.Length,
                MaxLength = longest,
                Model = loaded.Name,
                Location = Path.GetFullPath(path),
                Format = converted is { } kind ? FormatOption.NameOf(kind) : null,
                Reference = loadedReference?.Name,
                ReferenceLocation = referencePath is null ? null : Path.GetFullPath(referencePath),
                Seed = result.GetValue(seed) ?? DefaultSeed,
            };
            using RunFolder<PerplexityProtocol, DocumentResult> folder = RunFolder<PerplexityProtocol, DocumentResult>.Open(
                target, protocol, (there, here) => there.DifferencesTo(here));
            IReadOnlyList<DocumentResult> results = new PerplexityRun(loaded, loadedReference).Run(
                documents, folder, new EvalStatus("Perplexity", terminal.Status), terminal.Interrupts.Token);
            terminal.Status.Clear();
            PerplexitySummary summary = PerplexitySummary.Of(protocol, results);
            summary.Write(folder);
            TextTable table = new("", "value", "95 % interval");
            foreach ((string name, string value, string interval) in summary.Rows())
            {
                table.Add(name, value, interval);
            }

            table.WriteTo(
                terminal, title: $"{loaded.Name}: {documents.Length:N0} documents, {summary.Tokens:N0} predicted tokens");

            Task<string> FindAsync(string name) => ModelFiles.FindAsync(name, result.GetValue(download), terminal);
        });
        return command;
    }

    private static void RequireSameVocabulary(KimiLinearConfig config, string? referencePath)
    {
        if (referencePath is not null
            && ModelFiles.LoadConfig(referencePath).VocabularySize is int size && size != config.VocabularySize)
        {
            throw new CommandException(
                "The model and its reference must have the same vocabulary, but theirs have "
                + $"{config.VocabularySize:N0} and {size:N0} tokens.");
        }
    }
}
