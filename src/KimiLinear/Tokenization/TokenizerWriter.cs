using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace KimiLinear.Tokenization;

/// <summary>Writes the files of a tokenizer as the published models have them.</summary>
internal static class TokenizerWriter
{
    private static readonly JsonSerializerOptions Readable =
        new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Writes <c>tiktoken.model</c>: a line for each ordinary token, its bytes in base64, a space, its rank.</summary>
    public static void WriteVocabulary(string path, Vocabulary vocabulary)
    {
        StringBuilder text = new();
        for (int rank = 0; rank < vocabulary.Count; rank++)
        {
            _ = text.Append(Convert.ToBase64String(vocabulary[rank])).Append(' ')
                .Append(rank.ToString(CultureInfo.InvariantCulture)).Append('\n');
        }

        File.WriteAllText(path, text.ToString());
    }

    /// <summary>Writes <c>tokenizer_config.json</c> with the names of the special tokens.</summary>
    public static void WriteSpecialTokens(string path, IEnumerable<SpecialToken> tokens)
    {
        JsonObject entries = [];
        foreach (SpecialToken token in tokens)
        {
            entries[token.Id.ToString(CultureInfo.InvariantCulture)] =
                new JsonObject { ["content"] = token.Name, ["special"] = true };
        }

        JsonObject settings = new() { ["added_tokens_decoder"] = entries };
        File.WriteAllText(path, settings.ToJsonString(Readable) + "\n");
    }
}
