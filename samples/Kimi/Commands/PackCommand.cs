using System.CommandLine;
using Kimi.CommandLine;
using Kimi.Terminal;
using KimiLinear.Checkpoints;
using KimiLinear.Model;
using KimiLinear.Tokenization;
using KimiServer.CommandLine;

namespace Kimi.Commands;

/// <summary>Writes a copy of a model in fewer bits.</summary>
internal static class PackCommand
{
    public static readonly string[] Examples =
    [
        "kimi pack MODEL TARGET --format q4q8",
        "kimi pack MODEL TARGET --format q4      the same again goes on after Ctrl+C",
    ];

    private const string VocabularyFileName = "tiktoken.model";

    public static Command Create(CommandTerminal terminal)
    {
        Argument<string> source = new("MODEL") { Description = "The model: its folder, its GGUF file, or its name on the hub." };
        Argument<string> target = new("TARGET") { Description = "The folder to make; it must not exist." };
        Option<WeightFormat?> format = FormatOption.ForPacking();
        Option<bool> download = CommonOptions.Download();
        Option<int?> threads = NumberOption.Whole(
            "--threads",
            "How many threads convert, 1 to 1024 [default: one for each processor].",
            1,
            1024);
        Command command = new("pack", "Writes a copy of a model in fewer bits, which loads at once and runs faster.")
        {
            source, target, download, format, threads,
        };
        command.SetAction(async (result, cancellationToken) =>
        {
            string from = await ModelFiles.FindAsync(result.GetRequiredValue(source), result.GetValue(download), terminal);
            ModelPackOptions options = new() { AddFiles = folder => AddTokenizer(from, folder) };
            options = result.GetValue(threads) is int count ? options with { ThreadCount = count } : options;
            Pack(from, result.GetRequiredValue(target), result.GetValue(format)!.Value, options, terminal);
        });
        return command;
    }

    // A GGUF file holds its tokenizer inside. Without one the copy still serves whoever works with token ids.
    private static void AddTokenizer(string source, string folder)
    {
        if (File.Exists(Path.Combine(folder, VocabularyFileName)))
        {
            return;
        }

        try
        {
            KimiTokenizer.Load(source).Save(folder);
        }
        catch (Exception exception) when (exception is TokenizerFormatException or FileNotFoundException or NotSupportedException)
        {
            Console.Error.WriteLine($"kimi: the copy has no tokenizer. {exception.Message}");
        }
    }

    private static void Pack(
        string source, string target, WeightFormat format, ModelPackOptions options, CommandTerminal terminal)
    {
        try
        {
            PackProgressBar.Run(progress =>
                ModelPacker.Pack(source, target, format, options, progress, terminal.Interrupts.Token));
        }
        catch (OperationCanceledException)
        {
            Console.Error.WriteLine("kimi: stopped; the same command goes on after the last finished file.");
            throw;
        }

        ModelSummary before = ModelSummary.Inspect(source);
        ModelSummary after = ModelSummary.Inspect(target);
        terminal.Output.WriteLine(
            $"{target}: {ByteText.Of(after.WeightFileBytes)} of weights, {after.BitsPerWeight:0.00} bits each; "
            + $"they were {ByteText.Of(before.WeightFileBytes)}.");
    }
}
