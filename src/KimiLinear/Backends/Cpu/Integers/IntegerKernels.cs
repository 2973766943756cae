using System.Diagnostics;
using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary>Products of quantised activations with quantised weights.</summary>
internal abstract unsafe class IntegerKernels
{
    /// <summary>Multiplies with consecutive tiles of a packed matrix.</summary>
    /// <param name="input">The activations, in the form <see cref="QuantizedForms.Of"/> names for the type. [T, X]</param>
    /// <param name="type">The packed type.</param>
    /// <param name="tiles">The first tile.</param>
    /// <param name="tileCount">The number of tiles, of 16 rows each.</param>
    /// <param name="scratch">Working memory of the calling worker.</param>
    /// <param name="output">Where the products go; column 0 belongs to the first row. [T, 16 · tileCount]</param>
    public abstract void MultiplyTiles(
        FormedRows input, DataType type, byte* tiles, int tileCount, ScratchBuffer scratch, MatMulOutput output);
}

/// <inheritdoc/>
internal sealed unsafe class IntegerKernels<TSimd, TVector, TIntegers, TInteger> : IntegerKernels
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
    where TIntegers : struct, IIntegerSimd<TInteger, TVector>
    where TInteger : struct
{
    // Rows of x a tile is multiplied with at a time.
    private const int RowGroup = PanelKernel<TSimd, TVector, TIntegers, TInteger>.RowGroup;

    // From this many rows of x on, unpacking weights once costs less than unpacking them for every four rows.
    private const int PanelThreshold = 8;

    public override void MultiplyTiles(
        FormedRows input, DataType type, byte* tiles, int tileCount, ScratchBuffer scratch, MatMulOutput output)
    {
        Debug.Assert(TSimd.Width == TIntegers.Lanes, "Floats and integers have the same number of lanes.");
        int done = 0;
        if (input.Rows.Count >= PanelThreshold && input.Form != QuantizedForm.BytePairs)
        {
            done = tileCount / WeightPanel.TileCount * WeightPanel.TileCount;
            if (input.Form == QuantizedForm.Bytes)
            {
                MultiplyPanels<ScaledByteDot>(input.Rows, type, tiles, done, scratch, output);
            }
            else
            {
                MultiplyPanels<ShortDot>(input.Rows, type, tiles, done, scratch, output);
            }
        }

        MultiplyInPlace(input, type, tiles, done, tileCount, output);
    }

    private static void MultiplyPanels<TDot>(
        QuantizedRows input, DataType type, byte* tiles, int tileCount, ScratchBuffer scratch, MatMulOutput output)
        where TDot : struct, IPanelDot
    {
        const int SumCount = WeightPanel.TileCount * RowGroup * PackedLayout.TileRows;
        long tileBytes = PackedLayout.TileBytes(type, input.ColumnCount);
        long panelBytes = WeightPanel.ByteCount(input.BlockCount, TDot.ChunkCount);
        byte* memory = (byte*)scratch.Get((panelBytes / sizeof(float)) + SumCount);
        WeightPanel panel = new(memory, input.BlockCount, TDot.ChunkCount);
        float* sums = (float*)(memory + panelBytes);
        int last = input.Count - 1;
        for (int tile = 0; tile < tileCount; tile += WeightPanel.TileCount)
        {
            for (int i = 0; i < WeightPanel.TileCount; i++)
            {
                Unpack(type, tiles + ((tile + i) * tileBytes), panel, i);
            }

            for (int row = 0; row < input.Count; row += RowGroup)
            {
                // What is missing to four rows is computed from the last one and left out.
                byte* x0 = input.Codes(row);
                byte* x1 = input.Codes(Math.Min(row + 1, last));
                byte* x2 = input.Codes(Math.Min(row + 2, last));
                byte* x3 = input.Codes(Math.Min(row + 3, last));
                MultiplyPanel<TDot>(panel, x0, x1, x2, x3, sums);
                for (int i = 0; i < WeightPanel.TileCount * RowGroup; i++)
                {
                    int target = row + (i % RowGroup);
                    if (target <= last)
                    {
                        int panelTile = i / RowGroup;
                        output.Row(target, (tile + panelTile) * PackedLayout.TileRows).PutTile<TSimd, TVector>(
                            sums + (i * PackedLayout.TileRows), panel.RowScales + (panelTile * PackedLayout.TileRows));
                    }
                }
            }
        }
    }

    private static void Unpack(DataType type, byte* tile, WeightPanel panel, int index)
    {
        if (type == DataType.PackedQ4)
        {
            PackedPanel<TSimd, TVector, TIntegers, TInteger>.UnpackQ4(tile, panel, index);
        }
        else
        {
            PackedPanel<TSimd, TVector, TIntegers, TInteger>.UnpackQ8(tile, panel, index);
        }
    }

    private static void MultiplyPanel<TDot>(
        WeightPanel panel, byte* x0, byte* x1, byte* x2, byte* x3, float* sums) // [4 tiles, 4 rows, 16]
        where TDot : struct, IPanelDot
    {
        new Span<float>(sums, WeightPanel.TileCount * RowGroup * PackedLayout.TileRows).Clear();
        if (TIntegers.Lanes == PackedLayout.TileRows)
        {
            PanelKernel<TSimd, TVector, TIntegers, TInteger>.FourTiles<TDot>(panel, x0, x1, x2, x3, sums);
            return;
        }

        for (int tile = 0; tile < WeightPanel.TileCount; tile++)
        {
            for (int lane = 0; lane < PackedLayout.TileRows; lane += 2 * TIntegers.Lanes)
            {
                PanelKernel<TSimd, TVector, TIntegers, TInteger>.TwoVectors<TDot>(
                    panel, tile, lane, x0, x1, x2, x3, sums + (tile * RowGroup * PackedLayout.TileRows) + lane);
            }
        }
    }

    // Tile by tile with the packed weights themselves.
    private static void MultiplyInPlace(
        FormedRows input, DataType type, byte* tiles, int firstTile, int endTile, MatMulOutput output)
    {
        long tileBytes = PackedLayout.TileBytes(type, input.Rows.ColumnCount);
        float* products = stackalloc float[RowGroup * PackedLayout.TileRows];
        for (int tile = firstTile; tile < endTile; tile++)
        {
            byte* data = tiles + (tile * tileBytes);
            int column = tile * PackedLayout.TileRows;
            int row = 0;
            for (; row + RowGroup <= input.Rows.Count; row += RowGroup)
            {
                MultiplyFour(input, type, data, row, products);
                for (int i = 0; i < RowGroup; i++)
                {
                    output.Row(row + i, column).PutTile<TSimd, TVector>(products + (i * PackedLayout.TileRows));
                }
            }

            for (; row < input.Rows.Count; row++)
            {
                MultiplyOne(input, type, data, row, products);
                output.Row(row, column).PutTile<TSimd, TVector>(products);
            }
        }
    }

    private static void MultiplyOne(FormedRows input, DataType type, byte* tile, int row, float* products)
    {
        byte* x = input.Rows.Codes(row);
        int blocks = input.Rows.BlockCount;
        for (int lane = 0; lane < PackedLayout.TileRows; lane += TIntegers.Lanes)
        {
            TVector sums = (type, input.Form) switch
            {
                (DataType.PackedQ8, _) => PackedQ8Kernel<TSimd, TVector, TIntegers, TInteger>.One(tile, lane, x, blocks),
                (_, QuantizedForm.Bytes) =>
                    PackedQ4Kernel<TSimd, TVector, TIntegers, TInteger>.One<OnePlane>(tile, lane, x, blocks),
                _ => PackedQ4Kernel<TSimd, TVector, TIntegers, TInteger>.One<TwoPlanes>(tile, lane, x, blocks),
            };
            TSimd.Store(products + lane, sums);
        }
    }

    private static void MultiplyFour(FormedRows input, DataType type, byte* tile, int row, float* products)
    {
        byte* x0 = input.Rows.Codes(row);
        byte* x1 = input.Rows.Codes(row + 1);
        byte* x2 = input.Rows.Codes(row + 2);
        byte* x3 = input.Rows.Codes(row + 3);
        int blocks = input.Rows.BlockCount;
        for (int lane = 0; lane < PackedLayout.TileRows; lane += TIntegers.Lanes)
        {
            float* output = products + lane;
            switch (type, input.Form)
            {
                case (DataType.PackedQ8, _):
                    PackedQ8Kernel<TSimd, TVector, TIntegers, TInteger>.Four(
                        tile, lane, x0, x1, x2, x3, blocks, output, PackedLayout.TileRows);
                    break;
                case (_, QuantizedForm.Bytes):
                    PackedQ4Kernel<TSimd, TVector, TIntegers, TInteger>.Four<OnePlane>(
                        tile, lane, x0, x1, x2, x3, blocks, output, PackedLayout.TileRows);
                    break;
                default:
                    PackedQ4Kernel<TSimd, TVector, TIntegers, TInteger>.Four<TwoPlanes>(
                        tile, lane, x0, x1, x2, x3, blocks, output, PackedLayout.TileRows);
                    break;
            }
        }
    }
}
