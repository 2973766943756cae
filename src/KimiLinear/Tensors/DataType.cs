namespace KimiLinear.Tensors;

/// <summary>How one value is stored.</summary>
public enum DataType
{
    /// <summary>IEEE single precision, 4 bytes.</summary>
    Float32,

    /// <summary>The upper half of a single, 2 bytes.</summary>
    BFloat16,

    /// <summary>IEEE half precision, 2 bytes.</summary>
    Float16,

    /// <summary>IEEE double precision, 8 bytes.</summary>
    Float64,

    /// <summary>Four exponent and three mantissa bits without infinities, 1 byte.</summary>
    Float8E4M3,

    /// <summary>Signed integer, 4 bytes.</summary>
    Int32,

    /// <summary>Signed integer, 8 bytes.</summary>
    Int64,

    /// <summary>Unsigned integer, 1 byte.</summary>
    UInt8,

    /// <summary>
    /// Packed 4-bit weights: blocks of 32 values of a row share a scale and a zero point; 4.5 bits a value and 32 a row.
    /// </summary>
    PackedQ4,

    /// <summary>Packed 8-bit weights: blocks of 32 values of a row share a scale; 8.5 bits a value.</summary>
    PackedQ8,
}
