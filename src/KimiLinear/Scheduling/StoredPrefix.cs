using KimiLinear.Caching;
using Microsoft.Win32.SafeHandles;

namespace KimiLinear.Scheduling;

/// <summary>A copy of a sequence on its way from memory into a file, which vanishes with the process whatever becomes of it.</summary>
/// <remarks>Until it is written it is read from memory. Made, read and disposed by the engine's thread, written by another.</remarks>
internal sealed class StoredPrefix : IDisposable
{
    private const int ChunkBytes = 1 << 20;

    private readonly Lock _lock = new();
    private StateSnapshot? _snapshot;
    private SafeFileHandle? _file;
    private bool _disposed;

    /// <param name="tokens">What the sequence has read.</param>
    /// <param name="snapshot">The copy, which belongs to this object from now on.</param>
    public StoredPrefix(int[] tokens, StateSnapshot snapshot)
    {
        Tokens = tokens;
        ByteCount = snapshot.ByteCount;
        _snapshot = snapshot;
    }

    public int[] Tokens { get; }

    public long ByteCount { get; }

    /// <summary>Writes the copy and gives its memory back.</summary>
    /// <exception cref="IOException">The disk is full or gone.</exception>
    /// <exception cref="UnauthorizedAccessException">The folder may not be written.</exception>
    public void Write(string folder)
    {
        StateSnapshot snapshot = _snapshot!;
        string path = Path.Combine(folder, $"prefix-{Guid.NewGuid():N}.tmp");
        SafeFileHandle? file = null;
        try
        {
            file = File.OpenHandle(
                path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.Delete, FileOptions.DeleteOnClose, ByteCount);
            if (!OperatingSystem.IsWindows())
            {
                // Elsewhere a killed process closes its files without deleting them. One without a name is gone by itself.
                File.Delete(path);
            }

            for (long at = 0; at < ByteCount; at += ChunkBytes)
            {
                RandomAccess.Write(file, snapshot.Bytes(at, (int)Math.Min(ChunkBytes, ByteCount - at)), at);
            }

            lock (_lock)
            {
                _file = _disposed ? null : file;
                file = _disposed ? file : null;
            }
        }
        finally
        {
            file?.Dispose();
            lock (_lock)
            {
                snapshot.Dispose();
                _snapshot = null;
            }
        }
    }

    /// <summary>Uses the copy, read back if it is written.</summary>
    /// <returns>Whether it was there; a copy that could not be written is not.</returns>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public bool Use(Func<int, StateSnapshot> allocate, Action<StateSnapshot> use)
    {
        lock (_lock)
        {
            if (_snapshot is not null)
            {
                use(_snapshot);
                return true;
            }
        }

        if (_file is null)
        {
            return false;
        }

        using StateSnapshot copy = allocate(Tokens.Length);
        for (long at = 0; at < ByteCount;)
        {
            int read = RandomAccess.Read(_file, copy.Bytes(at, (int)Math.Min(ChunkBytes, ByteCount - at)), at);
            if (read == 0)
            {
                throw new EndOfStreamException("A file with a copy of a sequence is shorter than it was written.");
            }

            at += read;
        }

        use(copy);
        return true;
    }

    public void Dispose()
    {
        lock (_lock)
        {
            _disposed = true;
            _file?.Dispose();
            _file = null;
        }
    }
}
