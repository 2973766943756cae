namespace KimiLinear.Backends;

/// <summary>How a matrix lies in the memory of a GPU; weights.h says what each is.</summary>
internal enum CudaFormat
{
    /// <summary>The values.</summary>
    BFloat16,

    /// <summary>8-bit floats with a scale for 128 columns of a row.</summary>
    Float8,

    /// <summary>Signed 8-bit codes with a scale for 32 columns of a row.</summary>
    Packed8,

    /// <summary>4-bit codes with a scale and a zero point for 32 columns of a row, and a scale for the row.</summary>
    Packed4,
}
