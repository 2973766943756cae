using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Kimi.Benchmarking;

/// <summary>How fast the machine reads memory with a number of threads: the bound on decoding.</summary>
internal sealed unsafe partial class ReadBandwidth : IDisposable
{
    // Many times what processors cache.
    private const long BufferBytes = 1L << 30;

    // Large pages, as the library asks for to lay weights into.
    private const int PageBytes = 2 << 20;
    private const int AdviseHugePage = 14;

    // About a second and more: some machines read twice as fast for a moment as they do for long, and decoding is long.
    private const int PassCount = 40;

    // A busy system may take long to find memory; Ctrl+C is noticed between pieces of this size.
    private const long TouchBytes = 16 << 20;

    // One round of the loop reads this much.
    private const int RoundBytes = 512;

    private static ulong _sink;

    private readonly int _threadCount;
    private byte* _data;
    private bool _isTouched;

    /// <summary>Fetches the memory to read.</summary>
    public ReadBandwidth(int threadCount)
    {
        _threadCount = threadCount;
        _data = (byte*)NativeMemory.AlignedAlloc((nuint)BufferBytes, PageBytes);
        RequestLargePages(_data);
    }

    public void Dispose()
    {
        NativeMemory.AlignedFree(_data);
        _data = null;
    }

    /// <summary>Reads it over and over and returns the mean speed, in 10⁹ bytes per second.</summary>
    public double Measure(CancellationToken cancellationToken)
    {
        // Each thread reads a part of its own, as each reads rows of its own of a matrix.
        long partBytes = BufferBytes / _threadCount / RoundBytes * RoundBytes;
        long[] times = new long[PassCount + 1];
        int passes = 0;
        using Barrier barrier = new(_threadCount, _ =>
        {
            times[passes++] = Stopwatch.GetTimestamp();
            cancellationToken.ThrowIfCancellationRequested();
        });
        Thread[] threads = [.. Enumerable.Range(1, _threadCount - 1).Select(index => new Thread(() => ReadPart(index)))];
        foreach (Thread thread in threads)
        {
            thread.IsBackground = true;
            thread.Start();
        }

        ReadPart(0);
        foreach (Thread thread in threads)
        {
            thread.Join();
        }

        cancellationToken.ThrowIfCancellationRequested();
        _isTouched = true;
        return partBytes * _threadCount * (double)PassCount / Stopwatch.GetElapsedTime(times[0], times[^1]).TotalSeconds / 1e9;

        void ReadPart(int index)
        {
            byte* part = _data + (index * partBytes);
            if (!_isTouched)
            {
                // By the thread that reads it, which on some machines brings it near.
                Touch(part, partBytes, cancellationToken);
            }

            try
            {
                for (int pass = 0; pass < PassCount; pass++)
                {
                    barrier.SignalAndWait(CancellationToken.None);
                    _ = Interlocked.Add(ref _sink, Sum(part, partBytes));
                }

                barrier.SignalAndWait(CancellationToken.None);
            }
            catch (BarrierPostPhaseException)
            {
                // Cancelled; every thread gets here at the same phase.
            }
        }
    }

    // Memory that was never written is one page of zeros, which is always in cache.
    private static void Touch(byte* data, long byteCount, CancellationToken cancellationToken)
    {
        for (long at = 0; at < byteCount && !cancellationToken.IsCancellationRequested; at += TouchBytes)
        {
            NativeMemory.Fill(data + at, (nuint)Math.Min(TouchBytes, byteCount - at), 1);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static ulong Sum(byte* data, long byteCount)
    {
        Vector512<ulong> a = default, b = default, c = default, d = default;
        for (byte* end = data + byteCount; data < end; data += RoundBytes)
        {
            a += Vector512.Load((ulong*)data) ^ Vector512.Load((ulong*)(data + 64));
            b += Vector512.Load((ulong*)(data + 128)) ^ Vector512.Load((ulong*)(data + 192));
            c += Vector512.Load((ulong*)(data + 256)) ^ Vector512.Load((ulong*)(data + 320));
            d += Vector512.Load((ulong*)(data + 384)) ^ Vector512.Load((ulong*)(data + 448));
        }

        return Vector512.Sum(a + b + c + d);
    }

    private static void RequestLargePages(byte* data)
    {
        if (OperatingSystem.IsLinux())
        {
            try
            {
                _ = Advise(data, (nuint)BufferBytes, AdviseHugePage);
            }
            catch (Exception exception) when (exception is DllNotFoundException or EntryPointNotFoundException)
            {
                // Then pages are small, for the weights as well.
            }
        }
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(void* address, nuint length, int advice);
}
