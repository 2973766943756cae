using System.Security.Cryptography;
using KimiLinear.Pruning;

namespace KimiLinear.Calibration;

/// <summary>A file of records, one per line, any of which can be read; lines that are empty are passed over.</summary>
internal sealed class RecordFile : IDisposable
{
    private const int BufferBytes = 1 << 20;

    private static ReadOnlySpan<byte> WhiteSpace => " \t\r\n"u8;

    private readonly FileStream _stream;
    private readonly List<Line> _lines = [];
    private byte[] _buffer = new byte[BufferBytes];

    private RecordFile(FileStream stream, string path)
    {
        _stream = stream;
        FilePath = path;
    }

    private readonly record struct Line(long Offset, int Length, long Number);

    public string FilePath { get; }

    /// <summary>The SHA-256 of the file in hexadecimal.</summary>
    public string Sha256 { get; private set; } = "";

    public int Count => _lines.Count;

    /// <summary>Opens a file and finds its lines.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="PruningFileException">A line is too long.</exception>
    public static RecordFile Open(string path, CancellationToken cancellationToken)
    {
        RecordFile file = new(new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 1), path);
        try
        {
            file.FindLines(cancellationToken);
            return file;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>The number of a record's line, counted from 1.</summary>
    public long LineNumber(int record) => _lines[record].Number;

    /// <summary>Reads a record; valid until the next call.</summary>
    public ReadOnlySpan<byte> Read(int record)
    {
        Line line = _lines[record];
        if (_buffer.Length < line.Length)
        {
            _buffer = new byte[line.Length];
        }

        Span<byte> bytes = _buffer.AsSpan(0, line.Length);
        _stream.Position = line.Offset;
        _stream.ReadExactly(bytes);
        return bytes;
    }

    public void Dispose() => _stream.Dispose();

    private void FindLines(CancellationToken cancellationToken)
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        long offset = 0;
        long lineStart = 0;
        long lineNumber = 1;
        bool isEmpty = true;
        int count;
        while ((count = _stream.Read(_buffer)) > 0)
        {
            cancellationToken.ThrowIfCancellationRequested();
            ReadOnlySpan<byte> bytes = _buffer.AsSpan(0, count);
            hash.AppendData(bytes);
            int done = 0;
            while (bytes[done..].IndexOf((byte)'\n') is int length and >= 0)
            {
                isEmpty &= !bytes.Slice(done, length).ContainsAnyExcept(WhiteSpace);
                done += length + 1;
                Add(lineStart, offset + done - 1, lineNumber++, isEmpty);
                lineStart = offset + done;
                isEmpty = true;
            }

            isEmpty &= !bytes[done..].ContainsAnyExcept(WhiteSpace);
            offset += count;
        }

        Add(lineStart, offset, lineNumber, isEmpty);
        Sha256 = Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private void Add(long start, long end, long number, bool isEmpty)
    {
        if (isEmpty)
        {
            return;
        }

        if (end - start > Array.MaxLength)
        {
            throw new PruningFileException(
                $"'{FilePath}', line {number}: it has {end - start} bytes, which is too long for one record. The file should be JSON "
                + "Lines, one record per line.",
                FilePath);
        }

        _lines.Add(new Line(start, (int)(end - start), number));
    }
}
