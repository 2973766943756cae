using System.Runtime.InteropServices;

namespace KimiLinear.Backends;

internal sealed unsafe partial class CudaBackend
{
    public override void ClearSlot(CacheStorage cache, int slot)
    {
        _device.MakeCurrent();
        CudaRegion region = ((CudaCache)cache).Slot(slot);
        _stream.Fill(region, 0, 0, region.ByteCount);
    }

    public override void CopySlot(CacheStorage cache, int fromSlot, int toSlot) =>
        Copy(((CudaCache)cache).Slot(fromSlot), ((CudaCache)cache).Slot(toSlot));

    public override void CopyPage(CacheStorage cache, int fromPage, int toPage) =>
        Copy(((CudaCache)cache).Page(fromPage), ((CudaCache)cache).Page(toPage));

    public override void SaveSlot(CacheStorage cache, int slot, Span<float> destination) =>
        Receive(((CudaCache)cache).Slot(slot), destination);

    public override void RestoreSlot(CacheStorage cache, int slot, ReadOnlySpan<float> source) =>
        Send(source, ((CudaCache)cache).Slot(slot));

    public override void SavePage(CacheStorage cache, int page, Span<byte> destination) =>
        Receive(((CudaCache)cache).Page(page), destination);

    public override void RestorePage(CacheStorage cache, int page, ReadOnlySpan<byte> source) =>
        Send(source, ((CudaCache)cache).Page(page));

    public override double? MeasureBandwidth()
    {
        // Many times what the GPU caches, where there is room for it.
        const long MostBytes = 512L << 20;
        const int CopyCount = 10;
        _device.MakeCurrent();
        long byteCount = CudaArena.Aligned(Math.Min(MostBytes, _device.Memory.Free / 4));
        using CudaArena arena = new(_device, "measuring the speed of memory", 2 * byteCount);
        CudaRegion source = arena.Reserve("source", byteCount);
        CudaRegion destination = arena.Reserve("destination", byteCount);
        using CudaEvent start = new(_device, measuresTime: true);
        using CudaEvent end = new(_device, measuresTime: true);

        // Once without looking: the first touch of memory takes longer.
        Copy(source, destination);
        start.Record(_stream);
        for (int i = 0; i < CopyCount; i++)
        {
            Copy(source, destination);
        }

        end.Record(_stream);
        end.Synchronize();
        return 2.0 * byteCount * CopyCount / end.ElapsedSince(start).TotalSeconds;
    }

    private void Copy(CudaRegion source, CudaRegion destination)
    {
        _device.MakeCurrent();
        _stream.Copy(source, 0, destination, 0, source.ByteCount);
    }

    // Through page-locked memory, behind everything that was queued before.
    private void Receive<T>(CudaRegion source, Span<T> destination)
        where T : unmanaged
    {
        _device.MakeCurrent();
        Span<byte> bytes = MemoryMarshal.AsBytes(destination);
        for (int done = 0; done < bytes.Length; done += CudaStaging.BufferBytes)
        {
            int piece = Math.Min(CudaStaging.BufferBytes, bytes.Length - done);
            byte* staged = _staging.Next();
            _stream.Download(source, done, staged, piece);
            _stream.Synchronize();
            new ReadOnlySpan<byte>(staged, piece).CopyTo(bytes[done..]);
        }
    }

    private void Send<T>(ReadOnlySpan<T> source, CudaRegion destination)
        where T : unmanaged
    {
        _device.MakeCurrent();
        ReadOnlySpan<byte> bytes = MemoryMarshal.AsBytes(source);
        fixed (byte* data = bytes)
        {
            _staging.Copy(data, destination, 0, bytes.Length);
        }
    }
}
