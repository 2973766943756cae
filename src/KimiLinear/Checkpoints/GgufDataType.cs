using KimiLinear.Tensors;

namespace KimiLinear.Checkpoints;

/// <summary>A tensor type of the GGUF format, whether or not a weight may have it here.</summary>
/// <param name="Id">The format's number for it.</param>
/// <param name="Name">The format's word for it.</param>
/// <param name="DataType">Our type, or <see langword="null"/> when no weight may have it.</param>
internal sealed record GgufDataType(uint Id, string Name, DataType? DataType)
{
    private static readonly GgufDataType[] All =
    [
        new(0, "F32", Tensors.DataType.Float32),
        new(1, "F16", Tensors.DataType.Float16),
        new(2, "Q4_0", Tensors.DataType.GgufQ40),
        new(3, "Q4_1", Tensors.DataType.GgufQ41),
        new(6, "Q5_0", Tensors.DataType.GgufQ50),
        new(7, "Q5_1", Tensors.DataType.GgufQ51),
        new(8, "Q8_0", Tensors.DataType.GgufQ80),
        new(9, "Q8_1", null),
        new(10, "Q2_K", null),
        new(11, "Q3_K", null),
        new(12, "Q4_K", Tensors.DataType.GgufQ4K),
        new(13, "Q5_K", Tensors.DataType.GgufQ5K),
        new(14, "Q6_K", Tensors.DataType.GgufQ6K),
        new(15, "Q8_K", null),
        new(16, "IQ2_XXS", null),
        new(17, "IQ2_XS", null),
        new(18, "IQ3_XXS", null),
        new(19, "IQ1_S", null),
        new(20, "IQ4_NL", null),
        new(21, "IQ3_S", null),
        new(22, "IQ2_S", null),
        new(23, "IQ4_XS", null),
        new(24, "I8", null),
        new(25, "I16", null),
        new(26, "I32", null),
        new(27, "I64", null),
        new(28, "F64", null),
        new(29, "IQ1_M", null),
        new(30, "BF16", Tensors.DataType.BFloat16),
        new(34, "TQ1_0", null),
        new(35, "TQ2_0", null),
        new(39, "MXFP4", null),
        new(40, "NVFP4", null),
    ];

    private static readonly Dictionary<uint, GgufDataType> ById = All.ToDictionary(type => type.Id);

    /// <summary>The types a weight may have, for messages.</summary>
    public static string UsableNames { get; } =
        string.Join(", ", All.Where(type => type.DataType is not null).Select(type => type.Name));

    /// <summary>Finds a type by the format's number; one that this list does not know is named by the number.</summary>
    public static GgufDataType Of(uint id) => ById.GetValueOrDefault(id) ?? new GgufDataType(id, $"type {id}", null);
}
