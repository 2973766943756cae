using System.CommandLine;
using System.Text;
using System.Text.Json;
using Kimi.CommandLine;
using Kimi.Terminal;
using KimiLinear.Checkpoints;
using KimiLinear.Configuration;
using KimiLinear.Generation;
using KimiLinear.Model;
using KimiLinear.Sampling;
using KimiLinear.Tokenization;

namespace Kimi.Commands;

/// <summary>Continues prompts.</summary>
internal static class GenerateCommand
{
    public static readonly string[] Examples =
    [
        "kimi generate --model MODEL --prompt 'Once upon a time' --max-tokens 50",
        "kimi generate --model MODEL --ids 1,2,3 --greedy --json      prints {\"ids\":[…],\"text\":\"…\"}",
        "kimi generate --model MODEL --jsonl --greedy < prompts.jsonl > replies.jsonl",
        "kimi generate --model MODEL --prompt 'Once' --temperature 0.8 --top-p 0.95 --seed 7",
    ];

    private const int DefaultMaxTokens = 512;

    // Reading fewer tokens than this takes no noticeable time on a model that can be used at all.
    private const int LongPromptTokens = 64;

    public static Command Create(CommandTerminal terminal)
    {
        Option<string> model = CommonOptions.Model();
        Option<bool> download = CommonOptions.Download();
        Option<string?> ids = new("--ids")
        {
            Description = "The prompt as token ids, or '-' to read them from standard input.",
            HelpName = "1,2,3",
        };
        Option<string?> prompt = new("--prompt")
        {
            Description = "The prompt as text, used as it is, without a chat template.",
            HelpName = "TEXT",
        };
        Option<bool> jsonl = CommonOptions.JsonLines(
            "Read an array of prompt ids per line of standard input, write a reply as JSON per line.");
        Option<bool> json = new("--json") { Description = "Write {\"ids\":[…],\"text\":\"…\"} instead of the text alone." };
        Option<int?> maxTokens = CommonOptions.MaxTokens($"The most tokens to generate [default: {DefaultMaxTokens}].");
        Option<WeightFormat?> format = FormatOption.ForLoading();
        ComputeArguments compute = new();
        SamplingArguments sampling = new();
        Command command = new("generate", "Continues a prompt, token by token.")
        {
            model, download, ids, prompt, jsonl, json, maxTokens,
        };
        sampling.AddTo(command);
        command.Add(format);
        compute.AddTo(command);
        command.Validators.Add(result =>
        {
            int prompts = new Option[] { ids, prompt, jsonl }.Count(option => result.GetResult(option) is { Implicit: false });
            if (prompts != 1)
            {
                result.AddError("Give the prompt in one way: --ids, --prompt or --jsonl.");
            }
        });
        command.SetAction(async (result, cancellationToken) =>
        {
            string modelPath = await ModelFiles.FindAsync(result.GetRequiredValue(model), result.GetValue(download), terminal);
            KimiLinearConfig config = ModelFiles.LoadConfig(modelPath);
            GenerationConfig recommended = GenerationConfig.Load(modelPath);
            GenerationOptions options = new()
            {
                MaxTokens = result.GetValue(maxTokens) ?? DefaultMaxTokens,
                SamplingOptions = sampling.Read(result, SamplingOptions.FromGenerationConfig(recommended)),
                IncludeSpecialTokens = true,
            };
            KimiTokenizer tokenizer = KimiTokenizer.Load(modelPath);
            int[]? single = result.GetValue(jsonl)
                ? null
                : await ReadPromptAsync(terminal, tokenizer, result.GetValue(ids), result.GetValue(prompt));
            if (single is not null)
            {
                TokenIds.Require(single, config.VocabularySize, config.MaxContextTokens);
            }

            using KimiLinearModel loaded = ModelFiles.Load(
                modelPath,
                compute.Read(result, result.GetValue(format)),
                terminal);
            TextGenerator generator = new(loaded, tokenizer, recommended);
            if (single is null)
            {
                await WriteLinesAsync(terminal, generator, config, options);
            }
            else
            {
                await WriteReplyAsync(terminal, generator, single, options, result.GetValue(json));
            }
        });
        return command;
    }

    private static async Task<int[]> ReadPromptAsync(
        CommandTerminal terminal, KimiTokenizer tokenizer, string? ids, string? prompt) =>
        prompt is not null ? tokenizer.Encode(prompt)
        : ids == "-" ? TokenIds.Parse(Encoding.UTF8.GetString(await terminal.ReadAllAsync()))
        : TokenIds.Parse(ids!);

    private static async Task WriteLinesAsync(
        CommandTerminal terminal, TextGenerator generator, KimiLinearConfig config, GenerationOptions options)
    {
        LineReader lines = terminal.ReadLines();
        while (await lines.ReadAsync())
        {
            string where = $"Line {lines.LineNumber}";
            using JsonDocument json = JsonText.Parse(lines.Line, where);
            int[] promptIds = TokenIds.Parse(json.RootElement, lines.LineNumber);
            TokenIds.Require(promptIds, config.VocabularySize, config.MaxContextTokens, $"{where}: ");
            await WriteReplyAsync(terminal, generator, promptIds, options, asJson: true);
        }
    }

    private static async Task WriteReplyAsync(
        CommandTerminal terminal, TextGenerator generator, int[] promptIds, GenerationOptions options, bool asJson)
    {
        List<int> ids = [];
        StringBuilder text = new();
        if (promptIds.Length >= LongPromptTokens)
        {
            terminal.Status.Show($"Reading the prompt: {promptIds.Length:N0} tokens");
        }

        await foreach (GeneratedToken token in generator.GenerateAsync(promptIds, options, terminal.Interrupts.Token))
        {
            terminal.Status.Clear();
            if (asJson)
            {
                ids.Add(token.Id);
                text.Append(token.Text);
            }
            else
            {
                terminal.Stream(token.Text);
            }
        }

        if (asJson)
        {
            terminal.Output.Write(JsonSerializer.Serialize(new { ids, text = text.ToString() }, JsonText.Compact));
        }

        terminal.Stream("\n");
    }
}
