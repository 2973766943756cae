using KimiLinear.Caching;
using KimiLinear.Model;

namespace KimiLinear.Scheduling;

/// <summary>Copies of sequences that memory has no room for, in files; the least recently used go first.</summary>
/// <remarks>
/// Written one after the other beside the engine's thread, which only copies a sequence out of the device's memory and reads a
/// file when it is resumed. What cannot be written is forgotten: its tokens are then read again.
/// </remarks>
internal sealed class PrefixFolder : IDisposable
{
    /// <summary>The most copies, each an open file: half of the 1024 that Linux lets a process have where nobody says otherwise.</summary>
    public const int MaxCopies = 512;

    // Copies that wait to be written hold memory; further ones are forgotten.
    private const int MaxUnwritten = 4;

    private readonly KimiLinearModel _model;
    private readonly string _path;
    private readonly long _maxBytes;
    private readonly PrefixTree<LinkedListNode<StoredPrefix>> _tree = new();
    private readonly LinkedList<StoredPrefix> _leastUsedFirst = [];
    private Task _writing = Task.CompletedTask;
    private int _unwritten;

    /// <param name="model">The model whose sequences are kept.</param>
    /// <param name="path">The folder, which is made if it is missing.</param>
    /// <param name="maxBytes">The most bytes of all files.</param>
    /// <exception cref="IOException">The folder cannot be made, or no file in it.</exception>
    public PrefixFolder(KimiLinearModel model, string path, long maxBytes)
    {
        _model = model;
        _maxBytes = maxBytes;
        _path = Prepare(path);
    }

    public int Count => _leastUsedFirst.Count;

    /// <summary>Bytes of all copies, those that wait to be written included.</summary>
    public long ByteCount { get; private set; }

    /// <summary>Makes a folder if it is missing, and tries whether a file can be made in it.</summary>
    /// <returns>Its full path.</returns>
    /// <exception cref="IOException">It cannot.</exception>
    public static string Prepare(string path)
    {
        try
        {
            string fullPath = Directory.CreateDirectory(path).FullName;
            string probe = Path.Combine(fullPath, $"prefix-{Guid.NewGuid():N}.tmp");
            using FileStream file = new(probe, FileMode.CreateNew, FileAccess.Write, FileShare.None, 1, FileOptions.DeleteOnClose);
            return fullPath;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new IOException(
                $"The folder '{path}' for conversations that memory has no room for cannot be used: {exception.Message} "
                + $"Name another as {nameof(EngineOptions.PrefixFolder)}, or none.",
                exception);
        }
    }

    /// <summary>Keeps a copy of a sequence.</summary>
    /// <param name="tokens">All tokens that the sequence has read.</param>
    /// <param name="sequence">The sequence, which stays the caller's.</param>
    public void Keep(ReadOnlySpan<int> tokens, SequenceState sequence)
    {
        if (_tree.Get(tokens) is { } known)
        {
            Touch(known);
            return;
        }

        long bytes = _model.SnapshotBytes(tokens.Length);
        if (bytes > _maxBytes || Volatile.Read(ref _unwritten) >= MaxUnwritten)
        {
            return;
        }

        while (ByteCount + bytes > _maxBytes || Count == MaxCopies)
        {
            Drop(_leastUsedFirst.First!);
        }

        StoredPrefix stored = new(tokens.ToArray(), _model.Save(sequence));
        _tree.Set(tokens, _leastUsedFirst.AddLast(stored));
        ByteCount += bytes;
        Interlocked.Increment(ref _unwritten);
        _writing = _writing.ContinueWith(_ => Write(stored), CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
    }

    /// <summary>Finds the longest copy that some tokens begin with.</summary>
    /// <param name="tokens">The tokens.</param>
    /// <param name="maxLength">Longer copies are passed over.</param>
    public StoredPrefix? Find(ReadOnlySpan<int> tokens, int maxLength)
    {
        _tree.Find(tokens, maxLength, out LinkedListNode<StoredPrefix>? found);
        return found?.Value;
    }

    /// <summary>Starts a sequence from a copy, or returns null when the copy is lost or there is no room for it.</summary>
    /// <param name="stored">A copy that was found.</param>
    /// <param name="makeRoom">Makes room in memory for so many bytes, or says that there is none.</param>
    public SequenceState? Resume(StoredPrefix stored, Func<long, bool> makeRoom)
    {
        LinkedListNode<StoredPrefix> node = _tree.Get(stored.Tokens)!;
        Touch(node);
        // What gives way in memory comes here, and this copy may have to go for it.
        if (!makeRoom(_model.SnapshotBytes(stored.Tokens.Length)) || node.List is null)
        {
            return null;
        }

        SequenceState sequence = _model.CreateSequence();
        try
        {
            if (stored.Use(_model.CreateSnapshot, snapshot => _model.Restore(sequence, snapshot)))
            {
                return sequence;
            }
        }
#pragma warning disable CA1031 // Then it is as lost as one that was never written.
        catch (Exception)
#pragma warning restore CA1031
        {
        }

        sequence.Dispose();
        Drop(node);
        return null;
    }

    public void Dispose()
    {
        while (_leastUsedFirst.First is { } first)
        {
            Drop(first);
        }

        _writing.Wait();
    }

    private void Write(StoredPrefix stored)
    {
        try
        {
            stored.Write(_path);
        }
#pragma warning disable CA1031 // The disk is full or gone: the copy is lost, which whoever asks for it finds out.
        catch (Exception)
#pragma warning restore CA1031
        {
        }
        finally
        {
            Interlocked.Decrement(ref _unwritten);
        }
    }

    private void Drop(LinkedListNode<StoredPrefix> node)
    {
        _leastUsedFirst.Remove(node);
        _tree.Remove(node.Value.Tokens);
        ByteCount -= node.Value.ByteCount;
        node.Value.Dispose();
    }

    private void Touch(LinkedListNode<StoredPrefix> node)
    {
        _leastUsedFirst.Remove(node);
        _leastUsedFirst.AddLast(node);
    }
}
