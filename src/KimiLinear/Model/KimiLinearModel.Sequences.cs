using KimiLinear.Caching;

namespace KimiLinear.Model;

public sealed partial class KimiLinearModel
{
    /// <summary>Gets the bytes held for sequences, in use now or kept for the next one.</summary>
    public long SequenceMemoryBytes => _pool.AllocatedBytes;

    /// <summary>Gets the number of sequences that hold memory now.</summary>
    public int SequenceCount => _pool.SequenceCount;

    /// <summary>Gets the bytes that sequences hold now; pages that several share count once.</summary>
    internal long UsedSequenceBytes => _pool.UsedBytes;

    /// <summary>Gets the bytes a sequence holds however long it is.</summary>
    internal long SlotBytes => _pool.SlotBytes;

    /// <summary>Gets the bytes a sequence holds for each begun page of tokens.</summary>
    internal long PageBytes => _pool.Storage.Layout.PageBytes;

    /// <summary>Gets the bytes of memory of the device that computes, or <see langword="null"/> where that is the computer's own.</summary>
    internal long? DeviceMemoryBytes => _backend.MemoryBytes;

    /// <summary>Starts an empty sequence; the caller disposes it.</summary>
    /// <returns>The sequence; it takes memory from its first token on.</returns>
    /// <exception cref="ObjectDisposedException">The model has been disposed.</exception>
    public SequenceState CreateSequence()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        return new SequenceState(_pool);
    }

    /// <summary>Makes an independent copy of a sequence that continues from the same point; the caller disposes it.</summary>
    /// <param name="sequence">The sequence.</param>
    /// <param name="isKept">Whether the copy is not to be continued but copied again: it then holds no more than it needs.</param>
    internal SequenceState Fork(SequenceState sequence, bool isKept = false)
    {
        lock (_step)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            return sequence.Fork(isKept);
        }
    }

    /// <summary>Gets the bytes of a snapshot after so many tokens.</summary>
    internal long SnapshotBytes(int tokenCount) => StateSnapshot.BytesFor(_pool.Storage.Layout, tokenCount);

    /// <summary>Makes a snapshot to be filled; the caller disposes it.</summary>
    internal StateSnapshot CreateSnapshot(int tokenCount) => new(_pool.Storage.Layout, tokenCount);

    /// <summary>Copies a sequence out of the device's memory; the caller disposes the copy.</summary>
    internal StateSnapshot Save(SequenceState sequence)
    {
        lock (_step)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            return sequence.Save();
        }
    }

    /// <summary>Puts an empty sequence where a snapshot was taken.</summary>
    internal void Restore(SequenceState sequence, StateSnapshot snapshot)
    {
        lock (_step)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            sequence.Restore(snapshot);
        }
    }
}
