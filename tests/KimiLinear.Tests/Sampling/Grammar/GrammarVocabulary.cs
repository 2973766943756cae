using System.Text;
using KimiLinear.Tests.Tokenization;
using KimiLinear.Tokenization;

namespace KimiLinear.Tests.Sampling;

/// <summary>Vocabularies for grammars: all single bytes, and tokens that cross the borders JSON has.</summary>
internal static class GrammarVocabulary
{
    private static readonly string[] Pieces =
    [
        "{\"", "\":", "\": ", "\":\"", "\": \"", ",\"", ", \"", "\",\"", "\", \"", "\"}", "\"}]", "\"]", "[\"", "[{\"", "}]", "}}", "]}",
        "},{\"", "\"},{\"", "[]", "{}", "[[", "]]", "\"\"", "\"a\"", "\"a\":", "\"b\":1,\"b\":2", "\":1,\"", "true", "false", "null", "tru", "ull",
        "fal", ", ", ": ", "  ", "12", "123", "00", "0.", ".5", "-1", "e1", "1e", "E+", "10", "99", "ab", "abc", "name", "id", "value", "items",
        " the", "the", "\\u", "\\n", "\\\"", "\\\\", "u00", "d83d", "\\ud8", "\\udc", "é", "世界", "世", "😀", "ing", "T1", "Z\"", "-0", "2024", "@a",
        "://", "http", "functions", "functions.", ".get", "get_", "weather", ":0", ":1", "a\":{\"", "\n", "\t", "<|", "tool", "_call",
    ];

    /// <summary>Gets a tokenizer of some three hundred and fifty tokens.</summary>
    public static KimiTokenizer Small { get; } = Load(Pieces.Select(Encoding.UTF8.GetBytes));

    /// <summary>Makes a tokenizer of the single bytes, some tokens, and the published special ones.</summary>
    public static KimiTokenizer Load(IEnumerable<byte[]> tokens)
    {
        // A piece of a character as a token: the first two bytes of three, the last two of four.
        byte[][] parts = [[0xE4, 0xB8], [0x98, 0x80], [0x80, (byte)'"']];
        using TemporaryTokenizerFolder folder = new();
        folder.WriteVocabulary(
            Enumerable.Range(0, 256).Select(value => new[] { (byte)value }).Concat(parts).Concat(tokens.Where(token => token.Length > 1))
                .DistinctBy(Convert.ToHexString));
        return folder.Load();
    }
}
