namespace KimiLinear.Tensors;

/// <summary>Facts about the stored data types.</summary>
internal static class DataTypes
{
    /// <summary>Bytes one value takes.</summary>
    public static int SizeInBytes(this DataType type) => type switch
    {
        DataType.Float64 or DataType.Int64 => 8,
        DataType.Float32 or DataType.Int32 => 4,
        DataType.BFloat16 or DataType.Float16 => 2,
        DataType.Float8E4M3 or DataType.UInt8 => 1,
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "This data type has no size of its own."),
    };

    /// <summary>Consecutive values that are stored together, and of which no row may break one; 1 for plain numbers.</summary>
    public static int BlockLength(this DataType type) => type switch
    {
        DataType.GgufQ40 or DataType.GgufQ41 or DataType.GgufQ50 or DataType.GgufQ51 or DataType.GgufQ80 => 32,
        DataType.GgufQ4K or DataType.GgufQ5K or DataType.GgufQ6K => 256,
        _ => 1,
    };

    /// <summary>Bytes the values of one block take together.</summary>
    public static int BlockBytes(this DataType type) => type switch
    {
        DataType.GgufQ40 => 18,
        DataType.GgufQ41 => 20,
        DataType.GgufQ50 => 22,
        DataType.GgufQ51 => 24,
        DataType.GgufQ80 => 34,
        DataType.GgufQ4K => 144,
        DataType.GgufQ5K => 176,
        DataType.GgufQ6K => 210,
        _ => type.SizeInBytes(),
    };

    /// <summary>Bytes that consecutive values take; their number must be a multiple of the block.</summary>
    /// <exception cref="OverflowException">They do not fit 64 bits.</exception>
    public static long ByteCount(this DataType type, long valueCount) =>
        checked(valueCount / type.BlockLength() * type.BlockBytes());
}
