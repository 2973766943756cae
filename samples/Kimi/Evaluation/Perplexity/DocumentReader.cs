using System.Text.Json;
using Kimi.CommandLine;
using KimiLinear.Chat;
using KimiLinear.Tokenization;

namespace Kimi.Evaluation.Perplexity;

/// <summary>Reads documents: lines of <c>{"text":…}</c>, <c>{"messages":…}</c> or <c>{"ids":[…]}</c>.</summary>
/// <param name="modelPath">The model's folder, whose tokenizer is only needed for text.</param>
/// <param name="vocabularySize">How many tokens the model knows.</param>
internal sealed class DocumentReader(string modelPath, int vocabularySize)
{
    private readonly Lazy<KimiTokenizer> _tokenizer = new(() => KimiTokenizer.Load(modelPath));

    /// <summary>The tokens of a line.</summary>
    /// <exception cref="CommandException">
    /// The line holds none of the three, or less than two tokens, or one that the model does not know.
    /// </exception>
    public int[] Read(DataRecord record)
    {
        int[] ids = record.Has("ids") ? ReadIds(record)
            : record.Has("messages") ? ReadMessages(record)
            : record.Has("text") ? _tokenizer.Value.Encode(record.Text("text"))
            : throw record.Broken("must have one of \"text\", \"messages\" and \"ids\".");
        if (ids.Length < 2)
        {
            throw record.Broken("has fewer than two tokens, so there is none to predict.");
        }

        // A tokenizer may know more tokens than the model beside it.
        int largest = ids.Max();
        return largest < vocabularySize
            ? ids
            : throw record.Broken(
                $"has token {largest}, but the model knows {vocabularySize} only, 0 to {vocabularySize - 1}: its tokenizer is "
                + "another model's.");
    }

    private int[] ReadIds(DataRecord record)
    {
        JsonElement ids = record.Field("ids");
        if (ids.ValueKind != JsonValueKind.Array)
        {
            throw record.Broken("must have an array of token ids as its \"ids\".");
        }

        return
        [
            .. ids.EnumerateArray().Select((id, i) =>
                id.ValueKind == JsonValueKind.Number && id.TryGetInt32(out int value) && (uint)value < (uint)vocabularySize
                    ? value
                    : throw record.Broken(
                        $"must have token ids from 0 to {vocabularySize - 1}, but its id {i} is {id.GetRawText()}.")),
        ];
    }

    private int[] ReadMessages(DataRecord record)
    {
        try
        {
            ChatPrompt prompt = ChatPrompt.FromJson(record.Json);
            List<int> ids = [];
            ChatTemplate.Encode(_tokenizer.Value, prompt.Turns, prompt.Tools, addGenerationPrompt: false, ids);
            return [.. ids];
        }
        catch (Exception exception) when (exception is JsonException or NotSupportedException or ArgumentException)
        {
            throw record.Broken($"is no conversation: {exception.Message}");
        }
    }
}
