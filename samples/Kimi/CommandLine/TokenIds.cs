using System.Globalization;
using System.Text.Json;

namespace Kimi.CommandLine;

/// <summary>Reads lists of token ids, as people write them and as JSON.</summary>
internal static class TokenIds
{
    /// <summary>Reads "1,2,3": separated by commas or spaces, in brackets or not.</summary>
    public static int[] Parse(string text)
    {
        string inner = text.Trim();
        inner = inner.StartsWith('[') && inner.EndsWith(']') ? inner[1..^1] : inner;
        string[] parts = inner.Split([',', ' ', '\t', '\r', '\n'], StringSplitOptions.RemoveEmptyEntries);
        int[] ids = new int[parts.Length];
        for (int i = 0; i < parts.Length; i++)
        {
            if (!int.TryParse(parts[i], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out ids[i]))
            {
                throw new CommandException($"The token ids must be whole numbers such as 1,2,3, but one is '{parts[i]}'.");
            }
        }

        return ids;
    }

    /// <summary>Reads a JSON array of whole numbers.</summary>
    public static int[] Parse(JsonElement json, int lineNumber)
    {
        if (json.ValueKind != JsonValueKind.Array)
        {
            throw new CommandException($"Line {lineNumber} must be a JSON array of token ids such as [1,2,3].");
        }

        int[] ids = new int[json.GetArrayLength()];
        for (int i = 0; i < ids.Length; i++)
        {
            if (json[i].ValueKind != JsonValueKind.Number || !json[i].TryGetInt32(out ids[i]))
            {
                throw new CommandException(
                    $"Line {lineNumber} must be a JSON array of token ids, but its item {i} is {json[i].GetRawText()}.");
            }
        }

        return ids;
    }

    /// <summary>Refuses an empty prompt and ids the model does not have.</summary>
    /// <param name="ids">The prompt.</param>
    /// <param name="vocabularySize">The number of ids the model has.</param>
    /// <param name="maxTokens">The longest prompt the model accepts.</param>
    /// <param name="where">Where they come from, to begin the message with; perhaps empty.</param>
    public static void Require(ReadOnlySpan<int> ids, int vocabularySize, int maxTokens, string where = "")
    {
        if (ids.IsEmpty)
        {
            throw new CommandException($"{where}The prompt is empty. Give at least one token.");
        }

        if (ids.Length > maxTokens)
        {
            throw new CommandException(
                $"{where}The prompt has {ids.Length:N0} tokens, but the model accepts at most {maxTokens:N0}.");
        }

        for (int i = 0; i < ids.Length; i++)
        {
            if ((uint)ids[i] >= (uint)vocabularySize)
            {
                throw new CommandException(
                    $"{where}The token id {ids[i]} at index {i} is outside the vocabulary, "
                    + $"which goes from 0 to {vocabularySize - 1}.");
            }
        }
    }
}
