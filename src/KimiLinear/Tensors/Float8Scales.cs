namespace KimiLinear.Tensors;

/// <summary>Which scale belongs to which value of a matrix of 8-bit floats.</summary>
/// <remarks>
/// A matrix [R, C] has one scale for all values ([] or [1]), one for each row ([R] or [R, 1]), or one for each block of 128 × 128
/// values ([R / 128, C / 128], each rounded up).
/// </remarks>
internal readonly struct Float8Scales
{
    /// <summary>Rows and columns of a block.</summary>
    public const int BlockLength = 128;

    private readonly StoredTensor _scales;
    private readonly long _rowsPerScale;
    private readonly long _rowStride;
    private readonly int _columnStride;

    /// <param name="matrix">The matrix, whose scales fit it.</param>
    public Float8Scales(StoredTensor matrix)
    {
        _scales = matrix.Scales!;
        if (_scales.Shape.ElementCount == 1)
        {
            (_rowsPerScale, _rowStride, _columnStride) = (long.MaxValue, 0, 0);
        }
        else if (_scales.Shape.ElementCount == matrix.Shape[0] && !BlockShape(matrix.Shape).Equals(_scales.Shape))
        {
            (_rowsPerScale, _rowStride, _columnStride) = (1, 1, 0);
        }
        else
        {
            (_rowsPerScale, _rowStride, _columnStride) = (BlockLength, _scales.Shape[1], 1);
        }
    }

    /// <summary>The shape of the scales of blocks.</summary>
    public static Shape BlockShape(Shape matrix) => new(BlockCount(matrix[0]), BlockCount(matrix[1]));

    /// <summary>Whether scales of a shape fit a matrix.</summary>
    public static bool Fit(Shape matrix, Shape scales) =>
        scales is { Rank: 0 } or { Rank: 1, ElementCount: 1 }
        || scales.Equals(new Shape(matrix[0])) || scales.Equals(new Shape(matrix[0], 1)) || scales.Equals(new Shape(1, 1))
        || scales.Equals(BlockShape(matrix));

    /// <summary>Whether scales may be stored so.</summary>
    public static bool MayBe(DataType type) => type is DataType.Float32 or DataType.BFloat16 or DataType.Float16;

    /// <summary>The scale of a row's values in a block of 128 columns.</summary>
    public unsafe float Read(long row, long block) => StoredValues.Read(
        _scales.Data, _scales.DataType, (row / _rowsPerScale * _rowStride) + (block * _columnStride));

    private static long BlockCount(long length) => (length + BlockLength - 1) / BlockLength;
}
