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
