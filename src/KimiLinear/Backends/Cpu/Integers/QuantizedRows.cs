using System.Runtime.CompilerServices;
using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary>Rows of quantised activations: every block of 32 columns has a scale of its own.</summary>
/// <remarks>
/// A row is [codes: 2 bytes a column][scales: float32 a block][offsets: float32 a block], where an offset is minus the scale times
/// the sum of the block's codes; the zero point of a block of weights is multiplied with it. With
/// <see cref="QuantizedForm.Bytes"/> there are no more codes in the second half, but [minus the sum of the codes: float32 a
/// block][bias sums: int32 a block], where a bias sum takes the bias of <see cref="VnniPanel"/> off again; with
/// <see cref="QuantizedForm.RowShorts"/> the scales of blocks are 1 and the first offset is the row's scale.
/// </remarks>
internal readonly unsafe struct QuantizedRows(byte* data, int columnCount, int count, int* indices = null)
{
    public const int BlockColumns = PackedLayout.BlockColumns;

    private const int Alignment = 64;

    public int Count { get; } = count;

    public int ColumnCount { get; } = columnCount;

    public int BlockCount => ColumnCount / BlockColumns;

    /// <summary>Where minus the sum of a block's codes lies, in a row of <see cref="QuantizedForm.Bytes"/>.</summary>
    /// <param name="scale">The block's scale.</param>
    /// <param name="blockCount">Blocks of the row.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float* NegativeSum(float* scale, int blockCount) => scale - ((long)blockCount * BlockColumns / sizeof(float));

    /// <summary>Bytes of one row.</summary>
    public static long Stride(int columnCount) =>
        ((2L * columnCount) + (2L * sizeof(float) * (columnCount / BlockColumns)) + Alignment - 1) / Alignment * Alignment;

    /// <summary>The rows at these places, in this order.</summary>
    public QuantizedRows Select(int* rowIndices, int rowCount) => new(data, ColumnCount, rowCount, rowIndices);

    /// <summary>Consecutive rows from one on.</summary>
    public QuantizedRows From(int row, int rowCount) => new(data + (row * Stride(ColumnCount)), ColumnCount, rowCount);

    public byte* Codes(int index) => data + ((indices == null ? index : indices[index]) * Stride(ColumnCount));

    /// <summary>What the products of a row in <see cref="QuantizedForm.RowShorts"/> are multiplied with in the end.</summary>
    public float RowScale(int index) => ((float*)(Codes(index) + ScalesOffset))[BlockCount];

    /// <summary>Where a row's scales begin, counted from its codes; the offsets follow.</summary>
    public long ScalesOffset => 2L * ColumnCount;
}
