namespace KimiLinear.Checkpoints;

/// <summary>Facts about the types of metadata values.</summary>
internal static class GgufValueTypes
{
    /// <summary>Bytes a value takes; 0 for texts and lists, whose length varies.</summary>
    public static int SizeInBytes(this GgufValueType type) => type switch
    {
        GgufValueType.UInt8 or GgufValueType.Int8 or GgufValueType.Boolean => 1,
        GgufValueType.UInt16 or GgufValueType.Int16 => 2,
        GgufValueType.UInt32 or GgufValueType.Int32 or GgufValueType.Float32 => 4,
        GgufValueType.UInt64 or GgufValueType.Int64 or GgufValueType.Float64 => 8,
        _ => 0,
    };

    /// <summary>The fewest bytes a value can take.</summary>
    public static int MinBytes(this GgufValueType type) => type switch
    {
        GgufValueType.Text => sizeof(ulong),
        GgufValueType.List => sizeof(uint) + sizeof(ulong),
        _ => type.SizeInBytes(),
    };
}
