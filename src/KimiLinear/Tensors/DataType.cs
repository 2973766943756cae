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

    /// <summary>
    /// Four exponent and three mantissa bits without infinities, 1 byte; weights share a scale: a block, a row or all.
    /// </summary>
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

    /// <summary>GGUF's Q4_0: blocks of 32 values in 18 bytes, a half-precision scale and 4 bits a value.</summary>
    GgufQ40,

    /// <summary>GGUF's Q4_1: blocks of 32 values in 20 bytes, a half-precision scale and offset and 4 bits a value.</summary>
    GgufQ41,

    /// <summary>GGUF's Q5_0: blocks of 32 values in 22 bytes, a half-precision scale and 5 bits a value.</summary>
    GgufQ50,

    /// <summary>GGUF's Q5_1: blocks of 32 values in 24 bytes, a half-precision scale and offset and 5 bits a value.</summary>
    GgufQ51,

    /// <summary>GGUF's Q8_0: blocks of 32 values in 34 bytes, a half-precision scale and 8 bits a value.</summary>
    GgufQ80,

    /// <summary>
    /// GGUF's Q4_K: blocks of 256 values in 144 bytes, 4 bits a value; each 32 share a 6-bit scale and a 6-bit offset.
    /// </summary>
    GgufQ4K,

    /// <summary>
    /// GGUF's Q5_K: blocks of 256 values in 176 bytes, 5 bits a value; each 32 share a 6-bit scale and a 6-bit offset.
    /// </summary>
    GgufQ5K,

    /// <summary>GGUF's Q6_K: blocks of 256 values in 210 bytes, 6 bits a value; each 16 share an 8-bit scale.</summary>
    GgufQ6K,
}
