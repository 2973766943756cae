namespace KimiLinear.Checkpoints;

/// <summary>The part of a file that has been fetched: on disk, so that a later call goes on from there, and hashed so far.</summary>
internal sealed class PartialBlob : IDisposable
{
    private readonly FileStream _stream;
    private readonly BlobHash _hash;
    private bool _isWhole;

    private PartialBlob(FileStream stream, BlobHash hash)
    {
        _stream = stream;
        _hash = hash;
    }

    /// <summary>How many bytes are there.</summary>
    public long Length => _stream.Length;

    /// <summary>Opens what an earlier call has left, or begins.</summary>
    public static async Task<PartialBlob> OpenAsync(string path, HubFile file, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        PartialBlob blob = new(
            new FileStream(
                path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read, bufferSize: 0, FileOptions.Asynchronous),
            new BlobHash(file.Hash, file.Size));
        try
        {
            if (blob.Length > file.Size)
            {
                blob.Clear();
            }

            await blob._hash.AppendAsync(blob._stream, appended: null, cancellationToken).ConfigureAwait(false);
            return blob;
        }
        catch
        {
            blob.Dispose();
            throw;
        }
    }

    public async Task AppendAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        await _stream.WriteAsync(bytes, cancellationToken).ConfigureAwait(false);
        _hash.Append(bytes.Span);
    }

    /// <summary>Throws away what is there.</summary>
    public void Clear()
    {
        _stream.SetLength(0);
        _stream.Position = 0;
        _ = _hash.MatchesAndRestart();
    }

    /// <summary>Compares the whole content with its hash; if it is right, it is on the disk when this returns, else gone.</summary>
    public bool Finish()
    {
        if (!_hash.MatchesAndRestart())
        {
            Clear();
            return false;
        }

        _stream.Flush(flushToDisk: true);
        _isWhole = true;
        return true;
    }

    public void Dispose()
    {
        _hash.Dispose();
        bool isNothing = _stream.Length == 0 && !_isWhole;
        _stream.Dispose();
        if (isNothing)
        {
            File.Delete(_stream.Name);
        }
    }
}
