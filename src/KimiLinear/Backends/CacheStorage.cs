namespace KimiLinear.Backends;

/// <summary>The memory a backend keeps for sequences: slots and pages, addressed by small numbers.</summary>
/// <remarks>Who gets which slot or page is decided above; this only holds the values.</remarks>
internal abstract class CacheStorage(CacheLayout layout) : IDisposable
{
    public CacheLayout Layout { get; } = layout;

    /// <summary>Slots that exist; valid ids are below it.</summary>
    public abstract int SlotCount { get; }

    /// <summary>Pages that exist; valid ids are below it.</summary>
    public abstract int PageCount { get; }

    /// <summary>Bytes held.</summary>
    public abstract long AllocatedBytes { get; }

    /// <summary>Makes one more slot and returns its id; its values are undefined.</summary>
    public abstract int AddSlot();

    /// <summary>Makes one more page and returns its id; its values are undefined.</summary>
    public abstract int AddPage();

    public abstract void Dispose();
}
