namespace KimiLinear.Backends;

/// <summary>Rows of one format.</summary>
/// <param name="Format">The format.</param>
/// <param name="Matrix">Where they lie.</param>
/// <param name="Region">The memory that they take, which begins with their values.</param>
/// <param name="FirstRow">The row of the whole matrix that the first of them is.</param>
/// <param name="RowCount">How many there are.</param>
internal sealed record CudaMatrixPart(
    CudaFormat Format, WeightMatrix Matrix, CudaRegion Region, int FirstRow, int RowCount);
