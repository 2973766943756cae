using System.CommandLine;
using Kimi.CommandLine;
using Kimi.Conversation;
using Kimi.Terminal;
using KimiLinear.Checkpoints;
using KimiLinear.Configuration;
using KimiLinear.Generation;
using KimiLinear.Model;
using KimiLinear.Sampling;
using KimiLinear.Tokenization;

namespace Kimi.Commands;

/// <summary>Talks with a model.</summary>
internal static class ChatCommand
{
    public static readonly string[] Examples =
    [
        "kimi chat --model MODEL",
        "kimi chat --model MODEL --system 'Answer in one sentence.'",
        "kimi chat --model MODEL 'What is the capital of France?'",
        "kimi chat --model MODEL < questions.txt      answers line by line, as one conversation",
    ];

    public static Command Create(CommandTerminal terminal)
    {
        Option<string> model = CommonOptions.Model();
        Option<bool> download = CommonOptions.Download();
        Argument<string?> prompt = new("prompt")
        {
            Description = "A question to answer once; without it, questions are read until /exit or the end of the input.",
            Arity = ArgumentArity.ZeroOrOne,
        };
        Option<string?> system = new("--system") { Description = "The system message.", HelpName = "TEXT" };
        Option<int?> maxTokens = CommonOptions.MaxTokens("The most tokens of one reply [default: no limit].");
        Option<WeightFormat?> format = FormatOption.ForLoading();
        ComputeArguments compute = new();
        SamplingArguments sampling = new();
        Command command = new("chat", "Talks with a model in the terminal.") { prompt, model, download, system, maxTokens };
        sampling.AddTo(command);
        command.Add(format);
        compute.AddTo(command);
        command.SetAction(async (result, cancellationToken) =>
        {
            if (result.GetValue(prompt) is { } given && string.IsNullOrWhiteSpace(given))
            {
                throw new CommandException("The prompt is empty. Leave it out to type questions.");
            }

            string modelPath = await ModelFiles.FindAsync(result.GetRequiredValue(model), result.GetValue(download), terminal);
            KimiLinearConfig config = ModelFiles.LoadConfig(modelPath);
            GenerationConfig recommended = GenerationConfig.Load(modelPath);
            GenerationOptions options = new()
            {
                MaxTokens = result.GetValue(maxTokens),
                SamplingOptions = sampling.Read(result, SamplingOptions.FromGenerationConfig(recommended)),
                IncludeSpecialTokens = true,
            };
            KimiTokenizer tokenizer = KimiTokenizer.Load(modelPath);
            using KimiLinearModel loaded = ModelFiles.Load(
                modelPath,
                compute.Read(result, result.GetValue(format)),
                terminal);
            TextGenerator generator = new(loaded, tokenizer, recommended);
            ChatSession session = new(generator, tokenizer, config, options) { System = result.GetValue(system) };
            if (result.GetValue(prompt) is string question)
            {
                await new ChatLoop(terminal, session).AnswerOnceAsync(question);
            }
            else
            {
                await new ChatLoop(terminal, session).RunAsync(loaded.Name);
            }
        });
        return command;
    }
}
