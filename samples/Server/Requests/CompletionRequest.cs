using KimiLinear.Generation;
using KimiLinear.Sampling;
using KimiLinear.Tokenization;
using KimiServer.Hosting;

namespace KimiServer.Requests;

/// <summary>What a request for a completion asks for.</summary>
/// <param name="Model">The model's name, if it gives one.</param>
/// <param name="Prompts">The texts to continue.</param>
/// <param name="RepliesPerPrompt">How many times each is continued.</param>
/// <param name="Options">How to continue them.</param>
/// <param name="Stream">Whether and how the answer comes in pieces.</param>
internal sealed record CompletionRequest(
    string? Model, IReadOnlyList<int[]> Prompts, int RepliesPerPrompt, GenerationOptions Options, StreamChoice Stream)
{
    // As OpenAI's interface has it.
    private const int DefaultMaxTokens = 16;

    /// <summary>Gets how many replies there are: those of the first prompt, then those of the second, and so on.</summary>
    public int ReplyCount => Prompts.Count * RepliesPerPrompt;

    /// <summary>Reads a request.</summary>
    /// <param name="fields">The body.</param>
    /// <param name="tokenizer">Turns texts into token ids.</param>
    /// <param name="vocabularySize">Token ids lie below it.</param>
    /// <param name="defaults">How tokens are drawn where the request does not say.</param>
    /// <param name="maxReplies">The most replies of all prompts together.</param>
    public static CompletionRequest Read(
        RequestFields fields, KimiTokenizer tokenizer, int vocabularySize, SamplingOptions defaults, int maxReplies)
    {
        Refusals.OfCompletion.Check(fields);
        GenerationOptions options = new()
        {
            MaxTokens = fields.Count("max_tokens", 1) ?? DefaultMaxTokens,
            StopSequences = fields.Texts("stop"),
            // The replies of a request share one caller's time.
            Caller = fields.Text("user") ?? $"request {Guid.NewGuid():N}",
            SamplingOptions = defaults with
            {
                Temperature = fields.Number("temperature") ?? defaults.Temperature,
                TopP = fields.Number("top_p") ?? defaults.TopP,
                TopK = fields.Count("top_k", -1) is { } count ? Math.Max(count, 0) : defaults.TopK,
                MinP = fields.Number("min_p") ?? defaults.MinP,
                FrequencyPenalty = fields.Number("frequency_penalty") ?? defaults.FrequencyPenalty,
                PresencePenalty = fields.Number("presence_penalty") ?? defaults.PresencePenalty,
                RepetitionPenalty = fields.Number("repetition_penalty") ?? defaults.RepetitionPenalty,
                LogitBias = fields.NumberByTokenId("logit_bias") ?? defaults.LogitBias,
                Seed = fields.Whole("seed") is { } seed ? unchecked((ulong)seed) : defaults.Seed,
            },
        };
        int repliesPerPrompt = fields.Count("n", 1) ?? 1;
        IReadOnlyList<int[]> prompts = PromptField.Read(fields, tokenizer, vocabularySize, maxReplies);
        if ((long)prompts.Count * repliesPerPrompt > maxReplies)
        {
            throw ApiException.Invalid(
                $"'n' is {repliesPerPrompt} and there are {prompts.Count} prompts, but a request gets at most {maxReplies} replies. "
                + "Send several requests.",
                "n");
        }

        return new CompletionRequest(fields.Text("model"), prompts, repliesPerPrompt, options, StreamChoice.Read(fields));
    }

    /// <summary>The prompt of a reply.</summary>
    /// <param name="index">Which reply, counted through all prompts.</param>
    public int[] PromptOf(int index) => Prompts[index / RepliesPerPrompt];

    /// <summary>How a reply is generated: with a seed, each of a prompt has one of its own, and the first has the request's.</summary>
    /// <param name="index">Which reply, counted through all prompts.</param>
    public GenerationOptions OptionsOf(int index) => Options with
    {
        SamplingOptions = Options.SamplingOptions! with
        {
            Seed = Options.SamplingOptions.Seed + (ulong)(index % RepliesPerPrompt),
        },
    };
}
