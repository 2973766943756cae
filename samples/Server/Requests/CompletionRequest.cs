using System.Text.Json;
using KimiLinear.Generation;
using KimiLinear.Sampling;
using KimiLinear.Tokenization;
using KimiServer.Hosting;

namespace KimiServer.Requests;

/// <summary>What a request for a completion asks for.</summary>
/// <param name="Model">The model's name, if it gives one.</param>
/// <param name="PromptTokenIds">The text to continue.</param>
/// <param name="Options">How to continue it.</param>
/// <param name="Stream">Whether and how the answer comes in pieces.</param>
internal sealed record CompletionRequest(string? Model, int[] PromptTokenIds, GenerationOptions Options, StreamChoice Stream)
{
    // As OpenAI's interface has it.
    private const int DefaultMaxTokens = 16;

    private const string Prompt = "prompt";

    public static CompletionRequest Read(RequestFields fields, KimiTokenizer tokenizer, SamplingOptions defaults)
    {
        Refusals.OfCompletion.Check(fields);
        GenerationOptions options = new()
        {
            MaxTokens = fields.Count("max_tokens", 1) ?? DefaultMaxTokens,
            StopSequences = fields.Texts("stop"),
            Caller = fields.Text("user"),
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
        return new CompletionRequest(fields.Text("model"), ReadPrompt(fields, tokenizer), options, StreamChoice.Read(fields));
    }

    // A text, token ids, or an array that holds one of these.
    private static int[] ReadPrompt(RequestFields fields, KimiTokenizer tokenizer)
    {
        if (fields.Find(Prompt) is not { ValueKind: JsonValueKind.Array } array)
        {
            return tokenizer.Encode(fields.Text(Prompt) ?? throw ApiException.Invalid($"'{Prompt}' is missing.", Prompt));
        }

        JsonElement[] items = [.. array.EnumerateArray()];
        if (items.Length > 0 && items.All(item => item.ValueKind == JsonValueKind.Number))
        {
            return ReadIds(items);
        }

        return items switch
        {
            [{ ValueKind: JsonValueKind.String }] => tokenizer.Encode(fields.Texts(Prompt)[0]),
            [{ ValueKind: JsonValueKind.Array } ids] => ReadIds([.. ids.EnumerateArray()]),
            _ => throw ApiException.Invalid(
                $"'{Prompt}' must be one text or one array of token ids. Send a request for each.", Prompt),
        };
    }

    private static int[] ReadIds(JsonElement[] items) =>
        [.. items.Select(item => item.ValueKind == JsonValueKind.Number && item.TryGetInt32(out int id)
            ? id
            : throw ApiException.Invalid($"'{Prompt}' holds {RequestFields.NameOf(item)} among its token ids.", Prompt))];
}
