using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace KimiLinear.Backends;

/// <summary>What is read from memory at a time.</summary>
internal static unsafe class CacheLine
{
    public const int ByteCount = 64;

    /// <summary>How far ahead kernels that stream through weights ask for memory: a page, where processors' own prefetching ends.</summary>
    public const int AheadBytes = 4096;

    /// <summary>Where Intel's processors begin: what memory gives in its latency is under way by then.</summary>
    public const int FarBytes = 3 * AheadBytes;

    // What is read once is asked for a little sooner on Zen 5 and led to from farther away: the best of the distances tried there
    // (docs/performance.md, "The same on Zen 5"). Zen 3 reads a tenth less then (docs/performance.md, "Processors with 256-bit
    // vectors").
    private const int Zen5OnceBytes = 3 * AheadBytes / 2;
    private const int PathBytes = 4 * AheadBytes;

    // As often as blocks of weights do it.
    private const int PathStepBytes = 512;

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
            Sse.PrefetchNonTemporal(current + (Processor.IsZen5 ? Zen5OnceBytes : AheadBytes));
        }
    }

    /// <summary>
    /// Leads the processor's own prefetching along a stream: asks for a single line far ahead, once for half a kilobyte or so.
    /// </summary>
    /// <remarks>
    /// On Zen 5 it gained most while memory answered late; Zen 3 lost by it, and on other processors it was not measured. Why was not
    /// shown; it may be that the address of the page is looked up in time, or that the second-level cache begins to follow the stream.
    /// </remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void PrefetchPath(byte* current)
    {
        if (Sse.IsSupported && Processor.IsZen5)
        {
            Sse.Prefetch1(current + PathBytes);
        }
    }

    /// <summary>Writes <see cref="PrefetchStream"/> as instructions.</summary>
    public static void WritePrefetchStream(MachineCodeWriter code, MachineRegister address, int displacement)
    {
        if (Processor.IsIntel)
        {
            code.Prefetch(PrefetchKind.ThirdLevel, new MachineMemory(address, displacement + FarBytes));
            code.Prefetch(PrefetchKind.FirstLevel, new MachineMemory(address, displacement + AheadBytes));
            return;
        }

        code.Prefetch(
            PrefetchKind.Once, new MachineMemory(address, displacement + (Processor.IsZen5 ? Zen5OnceBytes : AheadBytes)));
    }

    /// <summary>Writes <see cref="PrefetchPath"/> as instructions.</summary>
    public static void WritePrefetchPath(MachineCodeWriter code, MachineRegister address, int displacement)
    {
        if (Processor.IsZen5)
        {
            code.Prefetch(PrefetchKind.SecondLevel, new MachineMemory(address, displacement + PathBytes));
        }
    }

    /// <summary>Asks for where a stream begins, which nothing has asked for yet: for all of it at once.</summary>
    public static void PrefetchStreamStart(byte* start)
    {
        int ahead = Processor.IsZen5 ? Zen5OnceBytes : AheadBytes;
        for (int i = -ahead; i < 0; i += ByteCount)
        {
            PrefetchStream(start + i);
        }

        if (Sse.IsSupported && Processor.IsIntel)
        {
            // What lies between the two steps of the loop above.
            for (int i = AheadBytes; i < FarBytes - AheadBytes; i += ByteCount)
            {
                Sse.Prefetch2(start + i);
            }
        }

        for (int i = ahead - PathBytes; i < 0; i += PathStepBytes)
        {
            PrefetchPath(start + i);
        }
    }

    /// <summary>Asks for where the next stream begins while another goes through the first-level cache.</summary>
    public static void PrefetchNextStream(byte* start)
    {
        if (!Sse.IsSupported)
        {
            return;
        }

        for (int i = 0; i < AheadBytes; i += ByteCount)
        {
            Sse.Prefetch1(start + i);
        }

        for (int i = AheadBytes - PathBytes; i < 0; i += PathStepBytes)
        {
            PrefetchPath(start + i);
        }
    }

    /// <summary>As <see cref="PrefetchStream"/> where it need not leave in cache what is used again.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void PrefetchKeptStream(byte* current) => PrefetchKeptStream(current, new StreamAhead(AheadBytes, FarBytes));

    /// <summary>The same where the stream goes on elsewhere.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void PrefetchKeptStream(byte* current, StreamAhead ahead)
    {
        if (Sse.IsSupported && Processor.IsIntel)
        {
            Sse.Prefetch2(current + ahead.Far);
        }

        Prefetch(current + ahead.Near);
    }
}
