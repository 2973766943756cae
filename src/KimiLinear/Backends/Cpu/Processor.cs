using System.Runtime.Intrinsics.X86;

namespace KimiLinear.Backends;

/// <summary>What is known of the processor besides its instructions.</summary>
internal static class Processor
{
    /// <summary>Whether Intel made it.</summary>
    /// <remarks>
    /// Kernels are compiled once, without a second look: where this is read before, it is a constant to them, and else a
    /// question in their innermost loop.
    /// </remarks>
    public static readonly bool IsIntel = X86Base.IsSupported && IsVendor("GenuineIntel");

    /// <summary>Whether AMD made it, in the fifth generation of Zen or later.</summary>
    /// <remarks>A constant to kernels, as <see cref="IsIntel"/>.</remarks>
    public static readonly bool IsZen5 = X86Base.IsSupported && IsVendor("AuthenticAMD") && Family() >= 0x1A;

    /// <summary>Whether it has vectors of 256 bits with integers (AVX2), which this program need not use.</summary>
    public static bool HasAvx2 => X86Base.IsSupported && X86Base.CpuId(0, 0).Eax >= 7 && (X86Base.CpuId(7, 0).Ebx & (1 << 5)) != 0;

    /// <summary>Whether it multiplies and adds in one with vectors of 512 bits (AVX-512 VNNI).</summary>
    public static bool HasAvx512Vnni =>
        X86Base.IsSupported && X86Base.CpuId(0, 0).Eax >= 7 && (X86Base.CpuId(7, 0).Ecx & (1 << 11)) != 0;

    // In EAX: four bits, and eight more that are added if the four say 15.
    private static int Family()
    {
        (int a, int _, int _, int _) = X86Base.CpuId(1, 0);
        int family = (a >> 8) & 0xF;
        return family == 0xF ? family + ((a >> 20) & 0xFF) : family;
    }

    // The name lies in EBX, EDX, ECX.
    private static bool IsVendor(string name)
    {
        (int _, int b, int c, int d) = X86Base.CpuId(0, 0);
        Span<byte> bytes = stackalloc byte[3 * sizeof(int)];
        _ = BitConverter.TryWriteBytes(bytes, b)
            && BitConverter.TryWriteBytes(bytes[4..], d)
            && BitConverter.TryWriteBytes(bytes[8..], c);
        return System.Text.Encoding.ASCII.GetString(bytes) == name;
    }
}
