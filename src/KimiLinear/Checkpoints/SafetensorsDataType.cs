using KimiLinear.Tensors;

namespace KimiLinear.Checkpoints;

/// <summary>A data type the safetensors format knows, whether or not a weight may have it here.</summary>
/// <param name="Name">The format's word for it.</param>
/// <param name="Bits">Bits one value takes; below 8 the values are packed.</param>
/// <param name="DataType">Our type, or <see langword="null"/> when no weight may have it.</param>
internal sealed record SafetensorsDataType(string Name, int Bits, DataType? DataType)
{
    private static readonly SafetensorsDataType[] All =
    [
        new("F32", 32, Tensors.DataType.Float32),
        new("BF16", 16, Tensors.DataType.BFloat16),
        new("F16", 16, Tensors.DataType.Float16),
        new("F64", 64, Tensors.DataType.Float64),
        new("F8_E4M3", 8, Tensors.DataType.Float8E4M3),
        new("I32", 32, Tensors.DataType.Int32),
        new("I64", 64, Tensors.DataType.Int64),
        new("U8", 8, Tensors.DataType.UInt8),
        new("BOOL", 8, null),
        new("I8", 8, null),
        new("I16", 16, null),
        new("U16", 16, null),
        new("U32", 32, null),
        new("U64", 64, null),
        new("C64", 64, null),
        new("F8_E5M2", 8, null),
        new("F8_E8M0", 8, null),
        new("F6_E2M3", 6, null),
        new("F6_E3M2", 6, null),
        new("F4", 4, null),
    ];

    private static readonly Dictionary<string, SafetensorsDataType> ByName = All.ToDictionary(type => type.Name);

    /// <summary>Finds a type by the format's word; <see langword="null"/> when the format has no such type.</summary>
    public static SafetensorsDataType? Find(string name) => ByName.GetValueOrDefault(name);

    /// <summary>The format's counterpart of one of our types; <see langword="null"/> when the format cannot hold it.</summary>
    public static SafetensorsDataType? Of(DataType type) => Array.Find(All, candidate => candidate.DataType == type);
}
