using System.Buffers;
using System.Buffers.Text;
using System.Globalization;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace KimiLinear.Tokenization;

/// <summary>Reads <c>tiktoken.model</c>: a line for each token, its bytes in base64, a space, its rank.</summary>
internal static class VocabularyReader
{
    // Over twenty times the published file; a wrong file must not fill the memory.
    private const int MaxFileBytes = 64 * 1024 * 1024;

    // "AA== 0" and a line feed.
    private const int ShortestLineBytes = 7;

    /// <summary>Reads the file whole, or throws and leaves nothing.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="TokenizerFormatException">The file is damaged.</exception>
    public static Vocabulary Read(string path)
    {
        if (!File.Exists(path))
        {
            throw new FileNotFoundException(
                $"The vocabulary '{path}' does not exist. Point to the folder of a downloaded model; tiktoken.model belongs "
                + "beside its config.json. A GGUF file holds its own.",
                path);
        }

        if (LengthOf(path) is long fileBytes and > MaxFileBytes)
        {
            throw new TokenizerFormatException(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"The vocabulary '{path}' must be at most {MaxFileBytes:N0} bytes long, but has {fileBytes:N0}. "
                    + $"It is not a tiktoken.model: download it again."),
                path);
        }

        byte[] content = File.ReadAllBytes(path);
        int maxCount = Math.Min(content.AsSpan().Count((byte)'\n'), content.Length / ShortestLineBytes) + 1;
        Vocabulary vocabulary = new(maxCount, maxBytes: content.Length);
        byte[] token = new byte[content.Length];

        int lineNumber = 0;
        foreach (Range range in content.AsSpan().Split((byte)'\n'))
        {
            lineNumber++;
            ReadOnlySpan<byte> line = content.AsSpan(range).TrimEnd((byte)'\r');
            if (!line.IsEmpty)
            {
                ReadLine(line, token, vocabulary, path, lineNumber);
            }
        }

        RequireSingleBytes(vocabulary, path);
        return vocabulary;
    }

    // Of what a link leads to: in a download cache the file is one.
    private static long LengthOf(string path)
    {
        using SafeFileHandle file = File.OpenHandle(path);
        return RandomAccess.GetLength(file);
    }

    private static void ReadLine(ReadOnlySpan<byte> line, byte[] token, Vocabulary vocabulary, string path, int lineNumber)
    {
        int space = line.IndexOf((byte)' ');
        if (space < 0)
        {
            throw Damaged(path, lineNumber, "must be base64, a space and a rank, but is", line);
        }

        ReadOnlySpan<byte> base64 = line[..space];
        OperationStatus status = Base64.DecodeFromUtf8(base64, token, out int consumed, out int length);
        if (status != OperationStatus.Done || consumed != base64.Length || length == 0)
        {
            throw Damaged(path, lineNumber, "must begin with a token in base64, but begins with", base64);
        }

        ReadOnlySpan<byte> rankDigits = line[(space + 1)..];
        if (!int.TryParse(rankDigits, NumberStyles.None, CultureInfo.InvariantCulture, out int rank))
        {
            throw Damaged(path, lineNumber, "must end with a rank, a whole number, but ends with", rankDigits);
        }

        if (rank != vocabulary.Count)
        {
            string rule = $"must have rank {vocabulary.Count}, the next after the line before, but has";
            throw Damaged(path, lineNumber, rule, rankDigits);
        }

        if (!vocabulary.TryAdd(token.AsSpan(0, length)))
        {
            int earlier = vocabulary.FindRank(token.AsSpan(0, length));
            throw Damaged(path, lineNumber, $"must not repeat a token, but repeats that of rank {earlier}:", base64);
        }
    }

    /// <summary>Refuses a vocabulary that cannot spell every text.</summary>
    public static void RequireSingleBytes(Vocabulary vocabulary, string path)
    {
        for (int value = 0; value <= byte.MaxValue; value++)
        {
            if (vocabulary.FindRank([(byte)value]) == Vocabulary.NoRank)
            {
                throw new TokenizerFormatException(
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"Every single byte must be a token, but of the {vocabulary.Count:N0} tokens in '{path}' none is the byte "
                        + $"0x{value:X2}. The file is incomplete: download it again."),
                    path);
            }
        }
    }

    private static TokenizerFormatException Damaged(string path, int lineNumber, string rule, ReadOnlySpan<byte> value)
    {
        const int ShownBytes = 80;
        string shown = Encoding.UTF8.GetString(value[..Math.Min(value.Length, ShownBytes)]);
        string rest = value.Length > ShownBytes ? "…" : "";
        return new TokenizerFormatException(
            $"Line {lineNumber} of '{path}' {rule} '{shown}{rest}'. The file is damaged: download it again.", path);
    }
}
