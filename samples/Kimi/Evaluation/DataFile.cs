using System.Security.Cryptography;
using System.Text.Json;
using Kimi.CommandLine;

namespace Kimi.Evaluation;

/// <summary>A file of JSON objects: one a line, or an array of them.</summary>
internal sealed class DataFile
{
    private static readonly byte[] ByteOrderMark = [0xEF, 0xBB, 0xBF];

    private readonly byte[] _bytes;

    private DataFile(string path, byte[] bytes)
    {
        Path = path;
        _bytes = bytes;
        Sha256 = Convert.ToHexStringLower(SHA256.HashData(bytes));
    }

    public string Path { get; }

    /// <summary>The hash of its bytes: which file it was.</summary>
    public string Sha256 { get; }

    /// <exception cref="CommandException">There is no such file, or it cannot be read.</exception>
    public static DataFile Open(string path)
    {
        if (Directory.Exists(path))
        {
            throw new CommandException($"--data must name a file, but '{path}' is a folder.");
        }

        try
        {
            return new DataFile(path, File.ReadAllBytes(path));
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new CommandException($"There is no file '{path}'.", exception);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new CommandException($"'{path}' cannot be read: {exception.Message}", exception);
        }
    }

    /// <summary>Reads the objects.</summary>
    /// <exception cref="CommandException">A line is broken, or there is none.</exception>
    public IEnumerable<DataRecord> Records()
    {
        ReadOnlyMemory<byte> rest = _bytes;
        rest = rest.Span.StartsWith(ByteOrderMark) ? rest[ByteOrderMark.Length..] : rest;
        int begin = rest.Span.IndexOfAnyExcept(" \t\r\n"u8);
        if (begin < 0)
        {
            throw new CommandException($"'{Path}' is empty.");
        }

        return rest.Span[begin] == (byte)'[' ? ReadArray(rest) : ReadLines(rest);
    }

    private IEnumerable<DataRecord> ReadArray(ReadOnlyMemory<byte> utf8)
    {
        using JsonDocument json = JsonText.Parse(utf8, $"'{Path}'");
        if (json.RootElement.GetArrayLength() == 0)
        {
            throw new CommandException($"'{Path}' is empty.");
        }

        for (int i = 0; i < json.RootElement.GetArrayLength(); i++)
        {
            yield return new DataRecord(json.RootElement[i].Clone(), $"'{Path}', item {i + 1}", i);
        }
    }

    private IEnumerable<DataRecord> ReadLines(ReadOnlyMemory<byte> rest)
    {
        int index = 0;
        for (int number = 1; !rest.IsEmpty; number++)
        {
            int end = rest.Span.IndexOf((byte)'\n');
            ReadOnlyMemory<byte> line = end < 0 ? rest : rest[..end];
            rest = end < 0 ? default : rest[(end + 1)..];
            if (line.Span.IndexOfAnyExcept(" \t\r"u8) >= 0)
            {
                string where = $"'{Path}', line {number}";
                using JsonDocument json = JsonText.Parse(line, where);
                yield return new DataRecord(json.RootElement.Clone(), where, index++);
            }
        }
    }
}
