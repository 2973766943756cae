using KimiLinear.Tensors;

namespace KimiLinear.Model;

/// <summary>How much of a checkpoint is stored in one data type.</summary>
/// <param name="DataType">The data type.</param>
/// <param name="TensorCount">The number of tensors stored in it.</param>
/// <param name="ValueCount">The number of values in them.</param>
/// <param name="ByteCount">The bytes they take.</param>
public sealed record StoredDataType(DataType DataType, int TensorCount, long ValueCount, long ByteCount)
{
    /// <summary>Gets the bits one value takes, scales included; 0 when there are no values.</summary>
    public double BitsPerValue => ValueCount == 0 ? 0 : 8.0 * ByteCount / ValueCount;

    internal static IReadOnlyList<StoredDataType> Of(IReadOnlyList<StoredTensor> tensors) => Array.AsReadOnly<StoredDataType>(
    [
        .. tensors.GroupBy(tensor => tensor.DataType)
            .Select(group => new StoredDataType(
                group.Key,
                group.Count(),
                group.Sum(tensor => tensor.Shape.ElementCount),
                group.Sum(tensor => tensor.TotalByteCount)))
            .OrderByDescending(type => type.ByteCount),
    ]);
}
