using System.Security.Cryptography;
using KimiLinear.Tensors;

namespace KimiLinear.Pruning;

/// <summary>Writes one weight file of a pruned model; it appears under its name only when it is whole.</summary>
internal sealed unsafe class PrunedFileWriter : IDisposable
{
    // Rows of routers and heads are small: they are gathered before they are written.
    private const int BufferBytes = 1 << 20;

    // What is read of the source before its memory is given up.
    private const int PieceBytes = 8 << 20;

    private readonly string _path;
    private readonly string _temporaryPath;
    private readonly Action<long> _advance;
    private readonly byte[] _buffer = new byte[BufferBytes];
    private readonly FileStream _stream;
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private int _buffered;

    private PrunedFileWriter(string path, Action<long> advance)
    {
        _path = path;
        _temporaryPath = path + ".tmp";
        _advance = advance;

        // Without a buffer of its own, which it would try to write once more when a full disk has stopped us.
        _stream = Try(() => new FileStream(_temporaryPath, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 0));
    }

    /// <summary>Writes it.</summary>
    /// <param name="file">The file.</param>
    /// <param name="folder">Where it goes.</param>
    /// <param name="advance">Told the number of bytes of each piece that was written.</param>
    /// <param name="cancellationToken">Stops it; nothing is left then.</param>
    /// <returns>The SHA-256 of the file, in hexadecimal.</returns>
    /// <exception cref="IOException">It cannot be written, as when the disk is full.</exception>
    public static string Write(PrunedFile file, string folder, Action<long> advance, CancellationToken cancellationToken)
    {
        using PrunedFileWriter writer = new(Path.Combine(folder, file.FileName), advance);
        writer.Append(file.Head);
        foreach (SourceRange range in file.Ranges)
        {
            writer.Append(range, cancellationToken);
        }

        return writer.Complete();
    }

    public void Dispose()
    {
        _hash.Dispose();
        _stream.Dispose();
        File.Delete(_temporaryPath);
    }

    private void Append(SourceRange range, CancellationToken cancellationToken)
    {
        for (long done = 0; done < range.ByteCount;)
        {
            cancellationToken.ThrowIfCancellationRequested();
            int length = (int)Math.Min(PieceBytes, range.ByteCount - done);
            if (range.Data == null)
            {
                Append(new byte[length]);
            }
            else
            {
                Append(new ReadOnlySpan<byte>(range.Data + done, length));
                MappedPages.Release(range.Data + done, length);
            }

            done += length;
        }
    }

    private void Append(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length > BufferBytes - _buffered)
        {
            Flush();
        }

        if (bytes.Length > BufferBytes)
        {
            Put(bytes);
            return;
        }

        bytes.CopyTo(_buffer.AsSpan(_buffered));
        _buffered += bytes.Length;
    }

    private void Flush()
    {
        Put(_buffer.AsSpan(0, _buffered));
        _buffered = 0;
    }

    private void Put(ReadOnlySpan<byte> bytes)
    {
        _hash.AppendData(bytes);
        try
        {
            _stream.Write(bytes);
        }
        catch (Exception exception) when (IsOfTheDisk(exception))
        {
            throw Refuse(exception);
        }

        _advance(bytes.Length);
    }

    private string Complete()
    {
        Flush();
        _ = Try(() =>
        {
            _stream.Flush(flushToDisk: true);
            _stream.Dispose();
            File.Move(_temporaryPath, _path, overwrite: true);
            return true;
        });
        return Convert.ToHexStringLower(_hash.GetHashAndReset());
    }

    private T Try<T>(Func<T> work)
    {
        try
        {
            return work();
        }
        catch (Exception exception) when (IsOfTheDisk(exception))
        {
            throw Refuse(exception);
        }
    }

    // The framework takes a file that grows beyond what its disk allows for a wrong argument.
    private static bool IsOfTheDisk(Exception exception) => exception is IOException or ArgumentOutOfRangeException;

    private IOException Refuse(Exception exception)
    {
        string reason = exception is IOException ? exception.Message.TrimEnd('.') : "the disk takes no file as large";
        return new IOException(
            $"'{_path}' cannot be written: {reason}. The files that are finished stay in its folder; make room, and the same call "
            + "goes on behind them.",
            exception);
    }
}
