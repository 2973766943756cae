using System.Globalization;
using KimiLinear.Tensors;

namespace KimiLinear.Checkpoints;

/// <summary>
/// Matrices of 8-bit floats as they are published: their scales lie in a tensor of their own, named after the matrix.
/// </summary>
internal static class Float8Entries
{
    /// <summary>Gives every such matrix its scales; those are no tensors of the model any more.</summary>
    /// <remarks>A matrix without scales that fit it stays without; so do the scales that fit none.</remarks>
    public static IReadOnlyList<StoredTensor> Join(IReadOnlyList<StoredTensor> tensors)
    {
        if (!tensors.Any(IsFloat8))
        {
            return tensors;
        }

        // A name that is there twice is refused later.
        ILookup<string, StoredTensor> byName = tensors.ToLookup(tensor => tensor.Name);
        Dictionary<StoredTensor, StoredTensor> scales = [];
        foreach (StoredTensor matrix in tensors.Where(IsFloat8))
        {
            if (WeightNames.ScaleNames(matrix.Name).SelectMany(name => byName[name]).FirstOrDefault(found => Fit(matrix, found))
                is { } found)
            {
                scales.Add(matrix, found);
            }
        }

        HashSet<StoredTensor> taken = [.. scales.Values];
        return [.. tensors.Where(tensor => !taken.Contains(tensor)).Select(WithScales)];

        StoredTensor WithScales(StoredTensor tensor) => scales.TryGetValue(tensor, out StoredTensor? found)
            ? tensor.WithScales(found)
            : tensor;
    }

    /// <summary>Which scales a matrix must have, for messages.</summary>
    public static string Rule(StoredTensor matrix)
    {
        Shape blocks = Float8Scales.BlockShape(matrix.Shape);
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{string.Join(" or ", WeightNames.ScaleNames(matrix.Name))} of shape [1], [{matrix.Shape[0]}, 1] or {blocks}");
    }

    private static bool IsFloat8(StoredTensor tensor) => tensor.DataType == DataType.Float8E4M3;

    private static bool Fit(StoredTensor matrix, StoredTensor scales) =>
        matrix.Shape.Rank == 2 && Float8Scales.MayBe(scales.DataType) && Float8Scales.Fit(matrix.Shape, scales.Shape);
}
