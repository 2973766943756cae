using System.CommandLine;
using System.Runtime.InteropServices;
using System.Text;
using Kimi.CommandLine;
using Kimi.Terminal;
using KimiLinear.Caching;
using KimiLinear.Checkpoints;
using KimiLinear.Configuration;
using KimiLinear.Model;
using KimiLinear.Tensors;

namespace Kimi.Commands;

/// <summary>Writes the scores of the next token after every token of a prompt.</summary>
internal static class LogitsCommand
{
    public static readonly string[] Examples =
    [
        "kimi logits --model MODEL --ids 1,2,3 --out logits.safetensors",
        "kimi tokenize --model MODEL --jsonl < text.json | kimi logits --model MODEL --ids - --out logits.safetensors",
    ];

    private const string TensorName = "logits";

    // Few enough that a vocabulary of 160,000 takes 40 MB at a time, and that Ctrl+C is noticed soon.
    private const int TokensPerStep = 64;

    public static Command Create(CommandTerminal terminal)
    {
        Option<string> model = CommonOptions.Model();
        Option<bool> download = CommonOptions.Download();
        Option<WeightFormat?> format = FormatOption.ForLoading();
        ComputeArguments compute = new();
        Option<string> ids = new("--ids")
        {
            Description = "The prompt's token ids, or '-' to read them from standard input.",
            HelpName = "1,2,3",
            Required = true,
        };
        Option<string> path = new("--out")
        {
            Description = "The safetensors file to write: 'logits', float32, [tokens, vocabulary].",
            HelpName = "FILE",
            Required = true,
        };
        Command command = new("logits", "Writes the scores of the next token after every token of a prompt to a file.")
        {
            model, download, ids, path, format,
        };
        compute.AddTo(command);
        command.SetAction(async (result, cancellationToken) =>
        {
            string text = result.GetRequiredValue(ids);
            string filePath = result.GetRequiredValue(path);
            OutputFile.RequireWritable("--out", filePath);
            int[] tokenIds = TokenIds.Parse(text == "-" ? Encoding.UTF8.GetString(await terminal.ReadAllAsync()) : text);
            string modelPath = await ModelFiles.FindAsync(result.GetRequiredValue(model), result.GetValue(download), terminal);
            KimiLinearConfig config = ModelFiles.LoadConfig(modelPath);
            TokenIds.Require(tokenIds, config.VocabularySize, config.MaxContextTokens);
            using KimiLinearModel loaded = ModelFiles.Load(
                modelPath,
                compute.Read(result, result.GetValue(format)),
                terminal);
            Write(terminal, loaded, tokenIds, filePath);
        });
        return command;
    }

    private static void Write(CommandTerminal terminal, KimiLinearModel model, int[] tokenIds, string filePath)
    {
        int vocabularySize = model.Config.VocabularySize;
        using SafetensorsWriter writer = new(filePath);
        writer.Declare(TensorName, DataType.Float32, tokenIds.Length, vocabularySize);
        using SequenceState sequence = model.CreateSequence();
        float[] logits = new float[Math.Min(TokensPerStep, tokenIds.Length) * vocabularySize];
        while (sequence.Length < tokenIds.Length)
        {
            terminal.Interrupts.Token.ThrowIfCancellationRequested();
            int count = Math.Min(TokensPerStep, tokenIds.Length - sequence.Length);
            Span<float> rows = logits.AsSpan(0, count * vocabularySize);
            model.ForwardEveryToken(sequence, tokenIds.AsSpan(sequence.Length, count), rows);
            writer.Write(TensorName, MemoryMarshal.AsBytes(rows));
            terminal.Status.Show($"Computing: {sequence.Length:N0} of {tokenIds.Length:N0} tokens");
        }

        writer.Complete();
    }
}
