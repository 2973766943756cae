using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace KimiLinear.Backends;

/// <summary>What is read from memory at a time.</summary>
internal static unsafe class CacheLine
{
    public const int ByteCount = 64;

    /// <summary>How far ahead kernels that stream through weights ask for memory: a page, where processors' own prefetching ends.</summary>
    public const int AheadBytes = 4096;

    // Where Intel's processors begin: what memory gives in its latency is under way by then.
    private const int FarBytes = 3 * AheadBytes;

    /// <summary>Asks for a line that is needed soon; any address will do. Elsewhere than on x86 it is left to the processor.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Prefetch(void* address)
    {
        if (Sse.IsSupported)
        {
            Sse.Prefetch0(address);
        }
    }

    /// <summary>Asks for some bytes that are needed soon.</summary>
    public static void PrefetchRange(void* address, int byteCount)
    {
        for (int i = 0; i < byteCount; i += ByteCount)
        {
            Prefetch((byte*)address + i);
        }
    }

    /// <summary>Asks for what kernels that stream through memory read next, once: each calls it for every line it reads.</summary>
    /// <remarks>
    /// AMD's processors keep in the first-level cache what is used again if the line is marked as used once. On Intel's such a
    /// mark gained nothing at any distance; there a line is asked for in two steps, by way of the second level, which is
    /// nearly as fast as reading alone (docs/performance.md, "The same on an Intel Xeon").
    /// </remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void PrefetchStream(byte* current)
    {
        if (Sse.IsSupported && Processor.IsIntel)
        {
            PrefetchKeptStream(current);
        }
        else if (Sse.IsSupported)
        {
            Sse.PrefetchNonTemporal(current + AheadBytes);
        }
    }

    /// <summary>The same where it need not leave in cache what is used again.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void PrefetchKeptStream(byte* current)
    {
        if (Sse.IsSupported && Processor.IsIntel)
        {
            Sse.Prefetch2(current + FarBytes);
        }

        Prefetch(current + AheadBytes);
    }
}
