using System.Globalization;
using System.Text;
using KimiLinear.Checkpoints;

namespace KimiLinear.Tokenization;

/// <summary>Reads the tokenizer in a GGUF file: the tokens as texts, the ordinary ones in the order of their ranks.</summary>
internal static class GgufTokenizerReader
{
    private const string ModelKey = "tokenizer.ggml.model";
    private const string PreTokenizerKey = "tokenizer.ggml.pre";
    private const string TokensKey = "tokenizer.ggml.tokens";
    private const string TypesKey = "tokenizer.ggml.token_type";

    private const string BytePairs = "gpt2";
    private const string KimiPreTokenizer = "kimi-k2";

    private const long OrdinaryType = 1;
    private const long UnusedType = 5;
    private const long ByteType = 6;

    // Over twenty times the published vocabulary; a wrong file must not fill the memory.
    private const int MaxTokens = 1 << 22;
    private const long MaxTextBytes = 64 * 1024 * 1024;

    /// <summary>Reads the ordinary tokens and the names of the special ones, the lowest id first.</summary>
    /// <exception cref="CheckpointFormatException">The file is damaged, or no Kimi-Linear model.</exception>
    /// <exception cref="TokenizerFormatException">The tokens are missing, damaged, or of another kind.</exception>
    public static (Vocabulary Vocabulary, string[] SpecialNames) Read(string path)
    {
        using GgufModel model = GgufModel.Open(path);
        GgufMetadata metadata = model.Metadata;
        RequireText(metadata, ModelKey, BytePairs);
        RequireText(metadata, PreTokenizerKey, KimiPreTokenizer);
        GgufTexts tokens = metadata.OptionalTexts(TokensKey) ?? throw metadata.Missing(TokensKey);
        if (tokens.Count > MaxTokens)
        {
            throw metadata.Refuse(TokensKey, $"must have at most {MaxTokens} tokens", $"has {tokens.Count}");
        }

        long[] types = metadata.IntegerList(TypesKey, tokens.Count);
        int ordinaryCount = Array.FindIndex(types, type => type != OrdinaryType) is int first and >= 0 ? first : types.Length;
        Vocabulary vocabulary = ReadOrdinary(tokens, ordinaryCount, path);
        VocabularyReader.RequireSingleBytes(vocabulary, path);
        return (vocabulary, ReadSpecialNames(tokens, types, ordinaryCount, path));
    }

    private static void RequireText(GgufMetadata metadata, string key, string expected)
    {
        string actual = metadata.OptionalText(key) ?? throw metadata.Missing(key);
        if (actual != expected)
        {
            throw metadata.Refuse(key, $"must be '{expected}', because no other tokenizer is supported", $"is '{actual}'");
        }
    }

    private static Vocabulary ReadOrdinary(GgufTexts tokens, int count, string path)
    {
        int longest = 0;
        long total = 0;
        foreach (ReadOnlySpan<byte> text in tokens)
        {
            longest = Math.Max(longest, text.Length);
            total += text.Length;
        }

        if (total > MaxTextBytes)
        {
            throw new TokenizerFormatException(
                $"The tokens of '{path}' must be at most {MaxTextBytes} bytes long together, but have {total}. The file is "
                + "damaged: download it again.",
                path);
        }

        Vocabulary vocabulary = new(count, (int)total);
        byte[] bytes = new byte[longest];
        foreach (ReadOnlySpan<byte> text in tokens)
        {
            int id = vocabulary.Count;
            if (id == count)
            {
                break;
            }

            if (!ByteCharacters.TryDecode(text, bytes, out int length) || length == 0)
            {
                throw Damaged(path, id, "must be written in the characters that stand for bytes, but is", text);
            }

            if (!vocabulary.TryAdd(bytes.AsSpan(0, length)))
            {
                throw Damaged(path, id, $"must not repeat that of id {vocabulary.FindRank(bytes.AsSpan(0, length))}:", text);
            }
        }

        return vocabulary;
    }

    // Whatever follows the ordinary tokens is a marker or a gap.
    private static string[] ReadSpecialNames(GgufTexts tokens, long[] types, int firstId, string path)
    {
        string[] names = new string[types.Length - firstId];
        HashSet<string> seen = new(StringComparer.Ordinal);
        int id = 0;
        foreach (ReadOnlySpan<byte> text in tokens)
        {
            if (id >= firstId)
            {
                if (types[id] is OrdinaryType or ByteType)
                {
                    throw Damaged(path, id, $"must come before the first special one, id {firstId}:", text);
                }

                string name = types[id] == UnusedType ? SpecialTokenReader.ReservedName(id) : Encoding.UTF8.GetString(text);
                if (name.Length == 0 || !seen.Add(name))
                {
                    throw Damaged(path, id, "is special, so it must have a name of its own, but has", text);
                }

                names[id - firstId] = name;
            }

            id++;
        }

        return names;
    }

    private static TokenizerFormatException Damaged(string path, int id, string rule, ReadOnlySpan<byte> text)
    {
        const int ShownBytes = 80;
        string shown = Encoding.UTF8.GetString(text[..Math.Min(text.Length, ShownBytes)]);
        string rest = text.Length > ShownBytes ? "…" : "";
        return new TokenizerFormatException(
            string.Create(
                CultureInfo.InvariantCulture,
                $"The token of id {id} in '{path}' {rule} '{shown}{rest}'. The file is damaged: download it again."),
            path);
    }
}
