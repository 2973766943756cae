using KimiLinear.Tensors;

namespace KimiLinear.Checkpoints;

/// <summary>Which tensors a weight format packs, and into what.</summary>
/// <remarks>
/// Never packed: router, decay, output gate and beta projections, convolutions, norms and biases, which steer the model and are
/// small, and the up-projection of the latent rows, which attention reads in both directions.
/// </remarks>
internal static class PackingRecipe
{
    private static readonly HashSet<string> EveryToken =
    [
        WeightNames.KimiDelta.Query,
        WeightNames.KimiDelta.Key,
        WeightNames.KimiDelta.Value,
        WeightNames.KimiDelta.Output,
        WeightNames.LatentAttention.KeyValueDown,
        WeightNames.DenseMlp.Gate,
        WeightNames.DenseMlp.Up,
        WeightNames.DenseMlp.Down,
        WeightNames.SparseMoe.SharedGate,
        WeightNames.SparseMoe.SharedUp,
        WeightNames.SparseMoe.SharedDown,
    ];

    /// <summary>The type a tensor is stored in once its model is in a format; the one it has when that stays.</summary>
    /// <remarks>
    /// What is not packed keeps its type, with two exceptions: bfloat16 models hold every matrix in bfloat16, and a type in which
    /// only some matrices may be stored becomes bfloat16. Matrices of 8-bit floats stay what they are in a model of such.
    /// </remarks>
    public static DataType TargetType(WeightFormat format, StoredTensor tensor)
    {
        bool isPlain = tensor.DataType is DataType.Float32 or DataType.BFloat16 or DataType.Float16;
        return format == WeightFormat.Source || (format == WeightFormat.Float8 && tensor.DataType == DataType.Float8E4M3)
            ? tensor.DataType
            : TypeOf(format, tensor.Name, tensor.Shape) is { } packed ? packed
            : isPlain && !(format == WeightFormat.BFloat16 && tensor.Shape.Rank == 2) ? tensor.DataType
            : DataType.BFloat16;
    }

    /// <summary>Tells whether a tensor can be packed at all.</summary>
    public static bool MayPack(string name, Shape shape) => TypeOf(WeightFormat.Q8, name, shape) is not null;

    /// <summary>The type with scales that a tensor gets; <see langword="null"/> when it stays as it is.</summary>
    public static DataType? TypeOf(WeightFormat format, string name, Shape shape)
    {
        if (format == WeightFormat.Float8)
        {
            return IsLarge(name) && shape.Rank == 2 ? DataType.Float8E4M3 : null;
        }

        if (format is WeightFormat.Source or WeightFormat.BFloat16 || !PackedLayout.Fits(shape))
        {
            return null;
        }

        if (name == WeightNames.TokenEmbedding)
        {
            return DataType.PackedQ8;
        }

        string inLayer = WeightNames.TryParseLayer(name, out _, out string rest) ? rest : name;
        if (WeightNames.SparseMoe.IsExpert(inLayer))
        {
            return format == WeightFormat.Q8 ? DataType.PackedQ8 : DataType.PackedQ4;
        }

        return IsLarge(name)
            ? format == WeightFormat.Q4 ? DataType.PackedQ4 : DataType.PackedQ8
            : null;
    }

    /// <summary>The type a tensor of a model in a format is stored in: packed, or bfloat16 as published.</summary>
    public static DataType StoredTypeOf(WeightFormat format, ExpectedTensor tensor) =>
        TypeOf(format, tensor.Name, tensor.Shape) ?? DataType.BFloat16;

    /// <summary>The bytes a tensor of a model in a format takes, scales included.</summary>
    public static long ByteCount(WeightFormat format, ExpectedTensor tensor) => tensor.Shape.Rank == 2
        ? RowConverter.ByteCount(StoredTypeOf(format, tensor), tensor.Shape[0], tensor.Shape[1])
        : tensor.Shape.ElementCount * StoredTypeOf(format, tensor).SizeInBytes();

    // The head, the experts, and what every token reads but the embedding.
    private static bool IsLarge(string name)
    {
        string inLayer = WeightNames.TryParseLayer(name, out _, out string rest) ? rest : name;
        return inLayer == WeightNames.Head || EveryToken.Contains(inLayer) || WeightNames.SparseMoe.IsExpert(inLayer);
    }
}
