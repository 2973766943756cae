using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary>
/// A matrix in the memory of a GPU, rows of one format after rows of another; or a stack of matrices of one format.
/// </summary>
internal sealed class CudaMatrix(object owner, DataType dataType, Shape shape, CudaMatrixPart[] parts)
    : CudaTensor(owner, dataType, shape, parts[0].Region)
{
    public ReadOnlySpan<CudaMatrixPart> Parts => parts;

    /// <summary>The one part, for kernels that take rows of one format only.</summary>
    /// <exception cref="NotSupportedException">There are several.</exception>
    public CudaMatrixPart Whole => parts.Length == 1
        ? parts[0]
        : throw new NotSupportedException(
            $"The weights with '{parts[0].Region.Name}' are stored in different types "
            + $"({string.Join(", ", parts.Select(part => part.Format))}), but the CUDA kernels take the gate and up "
            + "of an expert in one type only. Choose the device cpu.");
}
