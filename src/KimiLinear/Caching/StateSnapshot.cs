using KimiLinear.Backends;
using KimiLinear.Tensors;

namespace KimiLinear.Caching;

/// <summary>A sequence's memory copied to the host: a point from which it can be resumed.</summary>
internal sealed unsafe class StateSnapshot : IDisposable
{
    private readonly CacheLayout _layout;
    private readonly NativeBuffer _memory;

    public StateSnapshot(CacheLayout layout, int length)
    {
        _layout = layout;
        Length = length;
        PageCount = CacheLayout.PagesFor(length);
        _memory = new NativeBuffer(BytesFor(layout, length));
    }

    /// <summary>Tokens seen at this point.</summary>
    public int Length { get; }

    public int PageCount { get; }

    public long ByteCount => _memory.ByteCount;

    /// <summary>The part of fixed size, laid out as <see cref="CacheLayout"/> says.</summary>
    public Span<float> Slot => new(_memory.Data, checked((int)_layout.SlotLength));

    /// <summary>A page as the backend stores it.</summary>
    public Span<byte> Page(int index) => new(
        _memory.Data + (sizeof(float) * _layout.SlotLength) + (index * _layout.PageBytes), checked((int)_layout.PageBytes));

    /// <summary>Bytes of a snapshot after so many tokens.</summary>
    public static long BytesFor(CacheLayout layout, int length) =>
        (sizeof(float) * layout.SlotLength) + (CacheLayout.PagesFor(length) * layout.PageBytes);

    /// <summary>A part of it all, for writing and reading it as it lies.</summary>
    public Span<byte> Bytes(long start, int length) => new(_memory.Data + start, length);

    public void Dispose() => _memory.Dispose();
}
