namespace KimiLinear.Checkpoints;

/// <summary>A metadata value, where it lies in the mapped file; it ends with the file.</summary>
/// <param name="type">What it is.</param>
/// <param name="data">Its first byte; of a list, that of the first element.</param>
/// <param name="count">The bytes of a text, the elements of a list, or 1.</param>
/// <param name="elementType">What the elements of a list are.</param>
internal readonly unsafe struct GgufMetadataValue(
    GgufValueType type, byte* data, long count, GgufValueType elementType = default)
{
    public GgufValueType Type { get; } = type;

    public byte* Data { get; } = data;

    public long Count { get; } = count;

    public GgufValueType ElementType { get; } = elementType;

    /// <summary>Reads an integer of any width; <see langword="null"/> when it is none, or does not fit 64 bits.</summary>
    public static long? ReadInteger(GgufValueType type, byte* data) => type switch
    {
        GgufValueType.UInt8 => *data,
        GgufValueType.Int8 => *(sbyte*)data,
        GgufValueType.UInt16 => *(ushort*)data,
        GgufValueType.Int16 => *(short*)data,
        GgufValueType.UInt32 => *(uint*)data,
        GgufValueType.Int32 => *(int*)data,
        GgufValueType.UInt64 => *(ulong*)data <= long.MaxValue ? (long)*(ulong*)data : null,
        GgufValueType.Int64 => *(long*)data,
        _ => null,
    };
}
