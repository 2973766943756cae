using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace KimiLinear.Backends;

/// <summary>What is read from memory at a time.</summary>
internal static unsafe class CacheLine
{
    public const int ByteCount = 64;

    /// <summary>How far ahead kernels that stream through weights ask for memory: a page, where processors' own prefetching ends.</summary>
    public const int AheadBytes = 4096;

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

    /// <summary>The same for a line that is used once, so that it leaves in cache what is used again.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void PrefetchOnce(void* address)
    {
        if (Sse.IsSupported)
        {
            Sse.PrefetchNonTemporal(address);
        }
    }
}
