using System.Text.Json;
using KimiLinear.Tokenization;
using KimiServer.Hosting;

namespace KimiServer.Requests;

/// <summary>The texts to continue: one or several, as text or as token ids.</summary>
internal static class PromptField
{
    private const string Name = "prompt";

    private const string Forms = "a string, an array of strings, an array of token ids or an array of such arrays";

    /// <summary>Reads the prompts.</summary>
    /// <param name="fields">The request.</param>
    /// <param name="tokenizer">Turns texts into token ids.</param>
    /// <param name="vocabularySize">Token ids lie below it.</param>
    /// <param name="maxCount">The most prompts; more are refused before any is tokenized.</param>
    public static IReadOnlyList<int[]> Read(RequestFields fields, KimiTokenizer tokenizer, int vocabularySize, int maxCount)
    {
        if (fields.Find(Name) is not { } prompt)
        {
            throw ApiException.Invalid($"'{Name}' is missing. It must be {Forms}.", Name);
        }

        if (prompt.ValueKind != JsonValueKind.Array)
        {
            return prompt.ValueKind == JsonValueKind.String
                ? [Encode(fields.Text(Name)!, Name, tokenizer)]
                : throw ApiException.Invalid($"'{Name}' must be {Forms}, but is {RequestFields.NameOf(prompt)}.", Name);
        }

        JsonElement[] items = [.. prompt.EnumerateArray()];
        JsonValueKind kind = items.Length > 0 ? items[0].ValueKind : JsonValueKind.Undefined;
        int other = Array.FindIndex(items, item => item.ValueKind != kind);
        if (other > 0)
        {
            throw ApiException.Invalid(
                $"'{Name}' must be {Forms}, but begins with {RequestFields.NameOf(items[0])} and has "
                + $"{RequestFields.NameOf(items[other])} at index {other}.",
                Name);
        }

        if (kind is JsonValueKind.String or JsonValueKind.Array && items.Length > maxCount)
        {
            throw ApiException.Invalid($"'{Name}' holds {items.Length} prompts, but a request may have {maxCount}.", Name);
        }

        return kind switch
        {
            JsonValueKind.Undefined => throw ApiException.Invalid($"'{Name}' is an empty array. It must be {Forms}.", Name),
            JsonValueKind.Number => [ReadIds(items, Name, vocabularySize)],
            JsonValueKind.String => [.. fields.Texts(Name).Select((text, i) => Encode(text, $"{Name}[{i}]", tokenizer))],
            JsonValueKind.Array =>
                [.. items.Select((ids, i) => ReadIds([.. ids.EnumerateArray()], $"{Name}[{i}]", vocabularySize))],
            _ => throw ApiException.Invalid($"'{Name}' must be {Forms}, but holds {RequestFields.NameOf(items[0])}.", Name),
        };
    }

    private static int[] Encode(string text, string where, KimiTokenizer tokenizer) => RequireTokens(tokenizer.Encode(text), where);

    private static int[] ReadIds(JsonElement[] items, string where, int vocabularySize)
    {
        int[] ids = new int[items.Length];
        for (int i = 0; i < items.Length; i++)
        {
            bool isId = items[i].ValueKind == JsonValueKind.Number && items[i].TryGetInt32(out ids[i]) && ids[i] >= 0
                && ids[i] < vocabularySize;
            if (!isId)
            {
                throw ApiException.Invalid(
                    $"'{where}[{i}]' must be a token id from 0 to {vocabularySize - 1}, but is {RequestFields.NameOf(items[i])}.",
                    Name);
            }
        }

        return RequireTokens(ids, where);
    }

    private static int[] RequireTokens(int[] ids, string where) => ids.Length > 0
        ? ids
        : throw ApiException.Invalid($"'{where}' is empty. There must be at least one token to continue.", Name);
}
