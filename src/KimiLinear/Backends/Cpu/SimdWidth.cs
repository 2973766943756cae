namespace KimiLinear.Backends;

/// <summary>The vector registers the CPU kernels are compiled for.</summary>
internal enum SimdWidth
{
    /// <summary>No vectors.</summary>
    Scalar,

    /// <summary>128 bits: SSE, NEON.</summary>
    Bits128,

    /// <summary>256 bits: AVX2.</summary>
    Bits256,

    /// <summary>512 bits: AVX-512.</summary>
    Bits512,

    /// <summary>512 bits, and integers multiplied and added in one: AVX-512 VNNI, by <see cref="VnniKernels"/>.</summary>
    Bits512Vnni,
}
