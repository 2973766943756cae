using System.Text;

namespace KimiLinear.Tests.Sampling;

/// <summary>
/// The tokens of a made-up vocabulary of the published size, in the proportions such vocabularies have: words that grow from
/// shorter ones, Han characters, numbers, punctuation as JSON and programs write it, pieces of characters.
/// </summary>
internal static class SyntheticVocabulary
{
    /// <summary>The number of ordinary tokens of the published models.</summary>
    public const int PublishedCount = 163_584;

    private const int WordCount = 100_000;
    private const int HanCharacterCount = 6_000;
    private const string Letters = "etaoinshrdlucmfwypvbgkjqxz";
    private const string Punctuation = "\"{}[]:,.;()<>/\\=+-*_'`|&!?#@$%^~";

    /// <summary>Makes the tokens, the 256 single bytes first. Always the same.</summary>
    public static byte[][] Tokens()
    {
        Random random = new(42);
        HashSet<string> seen = [];
        List<byte[]> tokens = [];
        for (int value = 0; value <= byte.MaxValue; value++)
        {
            Add([(byte)value]);
        }

        for (int number = 0; number < 1000; number++)
        {
            Add(Encoding.UTF8.GetBytes($"{number:D2}"));
            Add(Encoding.UTF8.GetBytes($"{number:D3}"));
        }

        for (int length = 2; length <= 80; length++)
        {
            Add(Encoding.UTF8.GetBytes(new string(' ', length)));
        }

        for (int i = 0; i < 12_000; i++)
        {
            string text = new([.. Enumerable.Range(0, random.Next(2, 5)).Select(_ => Pick(Punctuation))]);
            Add(Encoding.UTF8.GetBytes((random.Next(3) == 0 ? " " : "") + text));
        }

        for (int i = 0; i < 1_000; i++)
        {
            // The first two bytes of three.
            Add([(byte)(0xE0 + random.Next(16)), (byte)(0xA0 + random.Next(32))]);
        }

        List<string> words = [.. Letters.Select(letter => letter.ToString()), .. Letters.Select(letter => $" {letter}")];
        while (words.Count < WordCount)
        {
            string longer = words[random.Next(words.Count)] + Pick(Letters[..(6 + random.Next(21))]);
            if (longer.Length <= 14 && Add(Encoding.UTF8.GetBytes(longer)))
            {
                words.Add(longer);
            }
        }

        while (tokens.Count < PublishedCount)
        {
            int length = 1 + random.Next(4);
            Add(Encoding.UTF8.GetBytes(string.Concat(
                Enumerable.Range(0, length).Select(_ => (char)(0x4E00 + (random.Next(HanCharacterCount) * random.Next(HanCharacterCount) / HanCharacterCount))))));
        }

        return [.. tokens];

        char Pick(string characters) => characters[random.Next(characters.Length)];

        bool Add(byte[] token)
        {
            bool isNew = seen.Add(Encoding.Latin1.GetString(token));
            if (isNew)
            {
                tokens.Add(token);
            }

            return isNew;
        }
    }
}
