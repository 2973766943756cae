using System.Diagnostics;
using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary>Products of quantised activations with quantised weights.</summary>
internal abstract unsafe class IntegerKernels
{
    /// <summary>Multiplies with consecutive tiles of a packed matrix.</summary>
    /// <param name="input">The activations, in the form <see cref="OperandForms.Of"/> names for the type. [T, X]</param>
    /// <param name="type">The packed type.</param>
    /// <param name="tiles">The first tile.</param>
    /// <param name="tileCount">The number of tiles, of 16 rows each.</param>
    /// <param name="scratch">Working memory of the calling worker.</param>
    /// <param name="output">Where the products go; column 0 belongs to the first row. [T, 16 · tileCount]</param>
    public abstract void MultiplyTiles(
        FormedRows input, DataType type, byte* tiles, int tileCount, ScratchBuffer scratch, MatMulOutput output);

    /// <summary>Multiplies with consecutive rows of a matrix in one of GGUF's block formats.</summary>
    /// <param name="input">The activations, in the form <see cref="OperandForms.Of"/> names for the type. [T, X]</param>
    /// <param name="type">The GGUF type.</param>
    /// <param name="rows">The first row.</param>
    /// <param name="rowCount">The number of rows.</param>
    /// <param name="scratch">Working memory of the calling worker.</param>
    /// <param name="output">Where the products go; column 0 belongs to the first row. [T, rowCount]</param>
    public abstract void MultiplyRows(
        FormedRows input, DataType type, byte* rows, int rowCount, ScratchBuffer scratch, MatMulOutput output);
}

/// <inheritdoc/>
internal sealed unsafe class IntegerKernels<TSimd, TVector, TIntegers, TInteger>(StripKernels strips, VnniKernels? vnni = null)
    : IntegerKernels
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
    where TIntegers : struct, IIntegerSimd<TInteger, TVector>
    where TInteger : struct
{
    // Rows of x a tile is multiplied with at a time.
    private const int RowGroup = PanelKernel<TSimd, TVector, TIntegers, TInteger>.RowGroup;

    // A call of machine code is announced to the runtime, which takes as long as reading a few lines of memory.
    private const int TilesPerCall = 8;

    public override void MultiplyTiles(
        FormedRows input, DataType type, byte* tiles, int tileCount, ScratchBuffer scratch, MatMulOutput output)
    {
        Debug.Assert(TSimd.Width == TIntegers.Lanes, "Floats and integers have the same number of lanes.");
        int done = 0;
        if (input.Rows.Count >= WeightPanel.MinInputRows && input.Form != QuantizedForm.BytePairs)
        {
            done = tileCount / WeightPanel.TileCount * WeightPanel.TileCount;
            int rowCount = done * PackedLayout.TileRows;
            PackedTiles<TSimd, TVector, TIntegers, TInteger> source = new(type, tiles, input.Rows.ColumnCount, isForVnni: vnni is not null);
            if (input.Form == QuantizedForm.Bytes)
            {
                PanelProduct<TSimd, TVector, TIntegers, TInteger>
                    .Multiply<ScaledByteDot, PackedTiles<TSimd, TVector, TIntegers, TInteger>>(
                        input.Rows, source, rowCount, scratch, output, vnni);
            }
            else if (input.Form == QuantizedForm.RowShorts)
            {
                PanelProduct<TSimd, TVector, TIntegers, TInteger>
                    .Multiply<RowShortDot, PackedTiles<TSimd, TVector, TIntegers, TInteger>>(
                        input.Rows, source, rowCount, scratch, output, vnni);
            }
            else
            {
                PanelProduct<TSimd, TVector, TIntegers, TInteger>.Multiply<ShortDot, PackedTiles<TSimd, TVector, TIntegers, TInteger>>(
                    input.Rows, source, rowCount, scratch, output, vnni);
            }
        }

        if (done < tileCount)
        {
            MultiplyInPlace(input, type, tiles, done, tileCount, output);
        }
    }

    public override void MultiplyRows(
        FormedRows input, DataType type, byte* rows, int rowCount, ScratchBuffer scratch, MatMulOutput output) =>
        strips.Multiply(input, type, rows, rowCount, scratch, output);

    // Tile by tile with the packed weights themselves.
    private void MultiplyInPlace(
        FormedRows input, DataType type, byte* tiles, int firstTile, int endTile, MatMulOutput output)
    {
        long tileBytes = PackedLayout.TileBytes(type, input.Rows.ColumnCount);
        float* products = stackalloc float[Math.Max(RowGroup, TilesPerCall) * PackedLayout.TileRows];
        int tilesAtOnce = vnni is not null && input.Rows.Count == 1 ? TilesPerCall : 1;
        CacheLine.PrefetchStreamStart(tiles + (firstTile * tileBytes));
        for (int tile = firstTile; tile < endTile; tile += tilesAtOnce)
        {
            byte* data = tiles + (tile * tileBytes);
            int row = 0;
            for (; row + RowGroup <= input.Rows.Count; row += RowGroup)
            {
                MultiplyFour(input, type, data, row, products);
                for (int i = 0; i < RowGroup; i++)
                {
                    Put(input, row + i, tile, products + (i * PackedLayout.TileRows), output);
                }
            }

            for (; row < input.Rows.Count; row++)
            {
                int tileCount = Math.Min(tilesAtOnce, endTile - tile);
                MultiplyOne(input, type, data, tileCount, row, products);
                for (int i = 0; i < tileCount; i++)
                {
                    Put(input, row, tile + i, products + (i * PackedLayout.TileRows), output);
                }
            }
        }
    }

    private static void Put(FormedRows input, int row, int tile, float* products, MatMulOutput output)
    {
        float scale = input.Form == QuantizedForm.RowShorts ? input.Rows.RowScale(row) : 1;
        output.Row(row, tile * PackedLayout.TileRows).PutTile<TSimd, TVector>(products, scale);
    }

    // More than one tile for machine code only.
    private void MultiplyOne(FormedRows input, DataType type, byte* tile, int tileCount, int row, float* products) // [tiles, 16]
    {
        if (vnni is not null)
        {
            vnni.OneRow(type, input.Form, tile, tileCount, input.Rows.Codes(row), input.Rows.BlockCount, products);
            return;
        }

        byte* x = input.Rows.Codes(row);
        int blocks = input.Rows.BlockCount;
        if (TIntegers.Lanes == PackedLayout.TileRows)
        {
            TVector sums = (type, input.Form) switch
            {
                (DataType.PackedQ8, _) => PackedQ8Kernel<TSimd, TVector, TIntegers, TInteger>.One(tile, 0, x, blocks),
                (_, QuantizedForm.Bytes) =>
                    PackedQ4Kernel<TSimd, TVector, TIntegers, TInteger>.One<OnePlane>(tile, 0, x, blocks),
                _ => PackedQ4Kernel<TSimd, TVector, TIntegers, TInteger>.One<TwoPlanes>(tile, 0, x, blocks),
            };
            TSimd.Store(products, sums);
            return;
        }

        for (int lane = 0; lane < PackedLayout.TileRows; lane += 2 * TIntegers.Lanes)
        {
            float* output = products + lane;
            switch (type, input.Form)
            {
                case (DataType.PackedQ8, _):
                    PackedQ8Kernel<TSimd, TVector, TIntegers, TInteger>.Two(tile, lane, x, blocks, output);
                    break;
                case (_, QuantizedForm.Bytes):
                    PackedQ4Kernel<TSimd, TVector, TIntegers, TInteger>.Two<OnePlane>(tile, lane, x, blocks, output);
                    break;
                default:
                    PackedQ4Kernel<TSimd, TVector, TIntegers, TInteger>.Two<TwoPlanes>(tile, lane, x, blocks, output);
                    break;
            }
        }
    }

    private void MultiplyFour(FormedRows input, DataType type, byte* tile, int row, float* products)
    {
        byte* x0 = input.Rows.Codes(row);
        byte* x1 = input.Rows.Codes(row + 1);
        byte* x2 = input.Rows.Codes(row + 2);
        byte* x3 = input.Rows.Codes(row + 3);
        int blocks = input.Rows.BlockCount;
        if (vnni is not null)
        {
            vnni.FourRows(type, input.Form, tile, x0, x1, x2, x3, blocks, products);
            return;
        }

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
