using System.Diagnostics;
using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary>Facts about the formats, which are those of weights.h.</summary>
internal static class CudaFormats
{
    /// <summary>Rows of a piece that is copied as a whole, which may reach behind the last one.</summary>
    public const int ScaleRows = 8;

    /// <summary>The format for a stored type; <see langword="null"/> where there is none.</summary>
    public static CudaFormat? Of(DataType type) => type switch
    {
        DataType.BFloat16 => CudaFormat.BFloat16,
        DataType.Float8E4M3 => CudaFormat.Float8,
        DataType.PackedQ8 => CudaFormat.Packed8,
        DataType.PackedQ4 => CudaFormat.Packed4,
        _ => null,
    };

    /// <summary>What the names of modules and kernels end in.</summary>
    public static string Suffix(this CudaFormat format) => format switch
    {
        CudaFormat.BFloat16 => "",
        CudaFormat.Float8 => "_fp8",
        CudaFormat.Packed8 => "_q8",
        CudaFormat.Packed4 => "_q4",
        _ => throw new UnreachableException(),
    };

    public static int BitsPerValue(this CudaFormat format) => format switch
    {
        CudaFormat.BFloat16 => 16,
        CudaFormat.Packed4 => 4,
        _ => 8,
    };

    /// <summary>Bytes of the scale of a block; 0 where there are none.</summary>
    public static int ScaleBytes(this CudaFormat format) => format switch
    {
        CudaFormat.BFloat16 => 0,
        CudaFormat.Float8 => sizeof(float),
        _ => sizeof(ushort),
    };

    /// <summary>Columns of a block.</summary>
    public static int BlockColumns(this CudaFormat format) =>
        format == CudaFormat.Float8 ? Float8Scales.BlockLength : PackedLayout.BlockColumns;

    /// <summary>What the columns of a matrix must be a multiple of.</summary>
    public static int ColumnGranule(this CudaFormat format) => format switch
    {
        CudaFormat.BFloat16 => 1,
        CudaFormat.Float8 => 16,
        _ => PackedLayout.BlockColumns,
    };

    /// <summary>Bytes of the codes of some rows.</summary>
    public static long ValueBytes(this CudaFormat format, long rows, long columns) => rows * columns * format.BitsPerValue() / 8;

    public static long BlockCount(this CudaFormat format, long columns) =>
        (columns + format.BlockColumns() - 1) / format.BlockColumns();

    /// <summary>Rows from the scales of one block to those of the next.</summary>
    public static int ScaleStride(long rows) => checked((int)((rows + ScaleRows - 1) / ScaleRows * ScaleRows));

    /// <summary>Bytes of the scales of the blocks of one matrix.</summary>
    public static long ScaleByteCount(this CudaFormat format, long rows, long columns) =>
        format.BlockCount(columns) * ScaleStride(rows) * format.ScaleBytes();

    /// <summary>Bytes of the scales of rows.</summary>
    public static long RowScaleByteCount(this CudaFormat format, long rows) =>
        format == CudaFormat.Packed4 ? rows * sizeof(float) : 0;

    /// <summary>What some matrices of a shape take of an arena.</summary>
    public static long AlignedBytes(this CudaFormat format, long matrices, long rows, long columns) =>
        CudaArena.Aligned(format.ValueBytes(matrices * rows, columns))
        + CudaArena.Aligned(matrices * format.ScaleByteCount(rows, columns))
        + CudaArena.Aligned(format.RowScaleByteCount(matrices * rows));
}
