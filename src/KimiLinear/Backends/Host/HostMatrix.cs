using System.Diagnostics;
using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary>A matrix read in place from the mapped checkpoint: one or several stored parts, stacked by rows.</summary>
internal sealed unsafe class HostMatrix : Tensor
{
    private readonly Part[] _parts;

    public HostMatrix(object owner, params ReadOnlySpan<StoredTensor> parts)
        : base(parts[0].DataType, StackedShape(parts), owner)
    {
        _parts = new Part[parts.Length];
        int firstRow = 0;
        for (int i = 0; i < parts.Length; i++)
        {
            int rowCount = (int)parts[i].Shape[0];
            _parts[i] = new Part(parts[i], firstRow);
            firstRow += rowCount;
            DataTypes |= DataTypeSet.Of(parts[i].DataType);
        }
    }

    public int RowCount => (int)Shape[0];

    public int ColumnCount => (int)Shape[1];

    public ReadOnlySpan<Part> Parts => _parts;

    /// <summary>The types of the parts.</summary>
    public DataTypeSet DataTypes { get; }

    /// <summary>The part that holds a row.</summary>
    public ref readonly Part PartOf(int row)
    {
        Debug.Assert((uint)row < (uint)RowCount, "The row lies outside the matrix.");
        int index = 0;
        while (row >= _parts[index].FirstRow + _parts[index].RowCount)
        {
            index++;
        }

        return ref _parts[index];
    }

    /// <summary>Reads a row as float32, in plain loops.</summary>
    public void ReadRow(int row, float* destination)
    {
        PartOf(row).ReadRows(row, rowCount: 1, ColumnCount, destination);
    }

    /// <summary>Tells whether values of a type are stored in blocks, so that a row must be read as a whole.</summary>
    public static bool IsBlockType(DataType type) =>
        PackedLayout.IsPacked(type) || GgufBlocks.Holds(type) || type == DataType.Float8E4M3;

    public override void Dispose()
    {
        // The memory belongs to the checkpoint.
    }

    private static Shape StackedShape(ReadOnlySpan<StoredTensor> parts)
    {
        long rowCount = 0;
        foreach (StoredTensor part in parts)
        {
            Debug.Assert(part.Shape.Rank == 2 && part.Shape[1] == parts[0].Shape[1], "Stacked parts share their row length.");
            rowCount += part.Shape[0];
        }

        return new Shape(rowCount, parts[0].Shape[1]);
    }

    /// <summary>Consecutive rows that lie together in memory.</summary>
    internal readonly struct Part(StoredTensor stored, int firstRow)
    {
        private readonly StoredTensor _stored = stored;
        private readonly long _rowBytes = stored.ByteCount / Math.Max(stored.Shape[0], 1);

        public byte* Data { get; } = stored.Data;

        public DataType DataType { get; } = stored.DataType;

        public int FirstRow { get; } = firstRow;

        public int RowCount { get; } = (int)stored.Shape[0];

        /// <summary>Where a row of this part lies, counted in the matrix; of packed types, the first row of a tile.</summary>
        public byte* Row(int row) => Data + ((row - FirstRow) * _rowBytes);

        /// <summary>Reads consecutive rows of the matrix as float32, in plain loops.</summary>
        public void ReadRows(int firstRow, int rowCount, int columnCount, float* destination)
        {
            if (PackedLayout.IsPacked(DataType))
            {
                PackedRows.Read(DataType, Data, columnCount, firstRow - FirstRow, rowCount, destination);
            }
            else if (DataType == DataType.Float8E4M3)
            {
                Float8Rows.Read(_stored, firstRow - FirstRow, rowCount, destination);
            }
            else
            {
                StoredValues.Read(Row(firstRow), DataType, (long)rowCount * columnCount, destination);
            }
        }
    }
}
