using System.Runtime.CompilerServices;
using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary>Products of many rows of quantised activations: weights are unpacked four tiles at a time and serve all rows.</summary>
internal static unsafe class PanelProduct<TSimd, TVector, TIntegers, TInteger>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
    where TIntegers : struct, IIntegerSimd<TInteger, TVector>
    where TInteger : struct
{
    // Rows of x a panel is multiplied with at a time.
    private const int RowGroup = PanelKernel<TSimd, TVector, TIntegers, TInteger>.RowGroup;

    private const int TileRows = PackedLayout.TileRows;

    /// <summary>Multiplies with all rows of the weights.</summary>
    /// <param name="input">The activations, in the form that <typeparamref name="TDot"/> takes. [T, X]</param>
    /// <param name="source">The weights.</param>
    /// <param name="rowCount">How many rows they have.</param>
    /// <param name="scratch">Working memory of the calling worker.</param>
    /// <param name="output">Where the products go; column 0 belongs to the first row. [T, rowCount]</param>
    public static void Multiply<TDot, TSource>(
        QuantizedRows input, TSource source, int rowCount, ScratchBuffer scratch, MatMulOutput output)
        where TDot : struct, IPanelDot
        where TSource : struct, IPanelSource
    {
        const int SumCount = WeightPanel.TileCount * RowGroup * TileRows;
        long panelBytes = WeightPanel.ByteCount(input.BlockCount, TDot.ChunkCount);
        byte* memory = (byte*)scratch.Get(((panelBytes + source.ScratchBytes) / sizeof(float)) + SumCount + 1);
        WeightPanel panel = new(memory, input.BlockCount, TDot.ChunkCount);
        float* sums = (float*)(memory + panelBytes);
        int tileCount = (rowCount + TileRows - 1) / TileRows;
        for (int tile = 0; tile < tileCount; tile += WeightPanel.TileCount)
        {
            for (int i = 0; i < WeightPanel.TileCount; i++)
            {
                // What is missing to four tiles is the last one again and left out.
                source.Unpack(Math.Min(tile + i, tileCount - 1), panel, i, (byte*)(sums + SumCount));
            }

            for (int row = 0; row < input.Count; row += RowGroup)
            {
                MultiplyRows<TDot>(panel, input, row, sums);
                Put(panel, sums, Math.Min(RowGroup, input.Count - row), rowCount - (tile * TileRows), output, row, tile * TileRows);
            }
        }
    }

    private static void MultiplyRows<TDot>(WeightPanel panel, QuantizedRows input, int row, float* sums) // [4 tiles, 4 rows, 16]
        where TDot : struct, IPanelDot
    {
        // What is missing to four rows is computed from the last one and left out.
        int last = input.Count - 1;
        byte* x0 = input.Codes(row);
        byte* x1 = input.Codes(Math.Min(row + 1, last));
        byte* x2 = input.Codes(Math.Min(row + 2, last));
        byte* x3 = input.Codes(Math.Min(row + 3, last));
        new Span<float>(sums, WeightPanel.TileCount * RowGroup * TileRows).Clear();
        if (TIntegers.Lanes == TileRows)
        {
            PanelKernel<TSimd, TVector, TIntegers, TInteger>.FourTiles<TDot>(panel, x0, x1, x2, x3, sums);
            return;
        }

        for (int tile = 0; tile < WeightPanel.TileCount; tile++)
        {
            for (int lane = 0; lane < TileRows; lane += 2 * TIntegers.Lanes)
            {
                PanelKernel<TSimd, TVector, TIntegers, TInteger>.TwoVectors<TDot>(
                    panel, tile, lane, x0, x1, x2, x3, sums + (tile * RowGroup * TileRows) + lane);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Put(
        WeightPanel panel, float* sums, int inputs, int rowsLeft, MatMulOutput output, int firstInput, int firstColumn)
    {
        for (int i = 0; i < inputs; i++)
        {
            MatMulRow row = output.Row(firstInput + i, firstColumn);
            for (int tile = 0; tile < WeightPanel.TileCount && rowsLeft > tile * TileRows; tile++)
            {
                int column = tile * TileRows;
                float* products = sums + (((tile * RowGroup) + i) * TileRows);
                float* factors = panel.RowScales + column;
                if (rowsLeft >= column + TileRows)
                {
                    row.PutTile<TSimd, TVector>(column, products, factors);
                }
                else
                {
                    for (int j = 0; j < rowsLeft - column; j++)
                    {
                        row.Put(column + j, products[j] * factors[j]);
                    }
                }
            }
        }
    }
}
