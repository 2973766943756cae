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
}
