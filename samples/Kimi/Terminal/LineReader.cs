namespace Kimi.Terminal;

/// <summary>Reads lines of bytes; whenever it must wait for more, the results so far are flushed first.</summary>
/// <remarks>
/// So a program that sends a line and waits for its result gets it, and a large file is not flushed line by line.
/// </remarks>
internal sealed class LineReader(Stream input, TextWriter output, CancellationToken cancellationToken)
{
    private const int InitialBytes = 1 << 16;

    private static readonly byte[] ByteOrderMark = [0xEF, 0xBB, 0xBF];

    private byte[] _buffer = new byte[InitialBytes];
    private int _begin;
    private int _end;
    private bool _isAtEnd;

    /// <summary>The number of the line read last, counted from 1.</summary>
    public int LineNumber { get; private set; }

    /// <summary>The line read last, without its line break; valid until the next one is read.</summary>
    public ReadOnlyMemory<byte> Line { get; private set; }

    /// <summary>Reads the next line; <see langword="false"/> when there is none.</summary>
    public async ValueTask<bool> ReadAsync()
    {
        cancellationToken.ThrowIfCancellationRequested();
        int scanned = 0;
        int length;
        while (!TryFindBreak(ref scanned, out length))
        {
            if (_isAtEnd)
            {
                length = _end - _begin;
                if (length == 0)
                {
                    return false;
                }

                break;
            }

            await FillAsync();
        }

        Line = _buffer.AsMemory(_begin, length);
        _begin = Math.Min(_begin + length + 1, _end);
        if (++LineNumber == 1 && Line.Span.StartsWith(ByteOrderMark))
        {
            Line = Line[ByteOrderMark.Length..];
        }

        if (Line.Length > 0 && Line.Span[^1] == '\r')
        {
            Line = Line[..^1];
        }

        return true;
    }

    private bool TryFindBreak(ref int scanned, out int length)
    {
        int at = _buffer.AsSpan(_begin + scanned, _end - _begin - scanned).IndexOf((byte)'\n');
        length = scanned + at;
        scanned = _end - _begin;
        return at >= 0;
    }

    private async Task FillAsync()
    {
        if (_begin > 0)
        {
            _buffer.AsSpan(_begin, _end - _begin).CopyTo(_buffer);
            _end -= _begin;
            _begin = 0;
        }
        else if (_end == _buffer.Length)
        {
            Array.Resize(ref _buffer, _buffer.Length * 2);
        }

        await output.FlushAsync(cancellationToken);

        // Reading a terminal or a pipe cannot be interrupted, but waiting for it can.
        int count = await Task.Run(() => input.Read(_buffer, _end, _buffer.Length - _end)).WaitAsync(cancellationToken);
        _end += count;
        _isAtEnd = count == 0;
    }
}
