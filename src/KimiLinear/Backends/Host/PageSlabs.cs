using System.Numerics;
using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary>Pages of equal size that never move, in native slabs that grow by about an eighth at a time.</summary>
/// <remarks>
/// The first sixteen slabs hold one page each, the next eight two, the next eight four and so on. So a page is found by
/// arithmetic, at most an eighth of the memory waits for later pages, and adding one allocates no managed memory.
/// </remarks>
internal sealed unsafe class PageSlabs(long pageBytes) : IDisposable
{
    // Slabs per doubling of the number of pages, as a power of two.
    private const int StepBits = 3;
    private const int StepCount = 1 << StepBits;

    // Enough for any page number.
    private readonly nint[] _slabs = new nint[StepCount * (32 - StepBits)];
    private int _slabCount;

    public int PageCount { get; private set; }

    /// <summary>Bytes held, those of pages to come included.</summary>
    public long AllocatedBytes { get; private set; }

    /// <summary>Adds a page of undefined values and returns its number.</summary>
    public int Add()
    {
        (int slab, _) = Find(PageCount);
        if (slab == _slabCount)
        {
            long bytes = SlabBytes(slab);
            _slabs[slab] = (nint)NativeBuffer.Allocate(bytes);
            _slabCount++;
            AllocatedBytes += bytes;
        }

        return PageCount++;
    }

    /// <summary>The memory of a page.</summary>
    public byte* this[int page]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)page, (uint)PageCount, nameof(page));
            (int slab, int index) = Find(page);
            return (byte*)_slabs[slab] + (index * pageBytes);
        }
    }

    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    ~PageSlabs() => Free();

    // Like a floating-point number: the highest bit says how large the slabs are, the next three which of eight it is.
    private static (int Slab, int Index) Find(int page)
    {
        int sizeBits = Math.Max(0, BitOperations.Log2((uint)page) - StepBits);
        return ((sizeBits << StepBits) + (page >> sizeBits), page & ((1 << sizeBits) - 1));
    }

    private long SlabBytes(int slab) => pageBytes << Math.Max(0, (slab >> StepBits) - 1);

    private void Free()
    {
        for (int i = 0; i < _slabCount; i++)
        {
            NativeBuffer.Free((byte*)_slabs[i], SlabBytes(i));
        }

        _slabCount = 0;
        PageCount = 0;
        AllocatedBytes = 0;
    }
}
