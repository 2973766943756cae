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

    private const int SumsPerRow = WeightPanel.TileCount * TileRows;

    // Chunks of each tile that narrower vectors go through with all rows before they go on: 16 KB of codes stay in the
    // first-level cache, whose lanes those of one tile alone would not spread over.
    private const int CachedChunks = 64;

    // Whether a vector is as wide as a tile, so that four tiles are multiplied at once.
    private static bool IsWide => TIntegers.Lanes == TileRows;

    // Rows of x whose sums are kept while the blocks are gone through.
    private static int RowsAtOnce => IsWide ? RowGroup : 64;

    /// <summary>Multiplies with all rows of the weights.</summary>
    /// <param name="input">The activations, in the form that <typeparamref name="TDot"/> takes. [T, X]</param>
    /// <param name="source">The weights.</param>
    /// <param name="rowCount">How many rows they have.</param>
    /// <param name="scratch">Working memory of the calling worker.</param>
    /// <param name="output">Where the products go; column 0 belongs to the first row. [T, rowCount]</param>
    /// <param name="vnni">The kernels to take instead of <see cref="PanelKernel{TSimd,TVector,TIntegers,TInteger}"/>, if there are any.</param>
    public static void Multiply<TDot, TSource>(
        QuantizedRows input, TSource source, int rowCount, ScratchBuffer scratch, MatMulOutput output, VnniKernels? vnni)
        where TDot : struct, IPanelDot
        where TSource : struct, IPanelSource
    {
        long panelBytes = WeightPanel.ByteCount(input.BlockCount, TDot.ChunkCount);
        int sumCount = RowsAtOnce * SumsPerRow;
        byte* memory = (byte*)scratch.Get(((panelBytes + source.ScratchBytes) / sizeof(float)) + sumCount + 1);
        WeightPanel panel = new(memory, input.BlockCount, TDot.ChunkCount);
        float* sums = (float*)(memory + panelBytes);
        int tileCount = (rowCount + TileRows - 1) / TileRows;
        for (int tile = 0; tile < tileCount; tile += WeightPanel.TileCount)
        {
            for (int i = 0; i < WeightPanel.TileCount; i++)
            {
                // What is missing to four tiles is the last one again and left out.
                source.Unpack(Math.Min(tile + i, tileCount - 1), panel, i, (byte*)(sums + sumCount));
            }

            for (int row = 0; row < input.Count; row += RowsAtOnce)
            {
                int end = Math.Min(row + RowsAtOnce, input.Count);
                MultiplyRows<TDot>(panel, input, row, end, sums, vnni);
                for (int group = row; group < end; group += RowGroup)
                {
                    Put<TDot>(
                        panel,
                        input,
                        sums + ((group - row) * SumsPerRow),
                        Math.Min(RowGroup, end - group),
                        rowCount - (tile * TileRows),
                        output,
                        group,
                        tile * TileRows);
                }
            }
        }
    }

    private static void MultiplyRows<TDot>(
        WeightPanel panel, QuantizedRows input, int row, int end, float* sums, VnniKernels? vnni) // [groups, 4 tiles, 4 rows, 16]
        where TDot : struct, IPanelDot
    {
        int blocksAtOnce = IsWide ? input.BlockCount : CachedChunks / TDot.ChunkCount;
        if (!IsWide)
        {
            new Span<float>(sums, RowsAtOnce * SumsPerRow).Clear();
        }

        for (int block = 0; block < input.BlockCount; block += blocksAtOnce)
        {
            int blockCount = Math.Min(blocksAtOnce, input.BlockCount - block);
            for (int group = row; group < end; group += RowGroup)
            {
                MultiplyGroup<TDot>(panel, input, group, block, blockCount, sums + ((group - row) * SumsPerRow), vnni);
            }
        }
    }

    private static void MultiplyGroup<TDot>(
        WeightPanel panel, QuantizedRows input, int row, int block, int blockCount, float* sums, VnniKernels? vnni) // [4 tiles, 4 rows, 16]
        where TDot : struct, IPanelDot
    {
        // What is missing to four rows is computed from the last one and left out.
        int last = input.Count - 1;
        byte* x0 = input.Codes(row);
        byte* x1 = input.Codes(Math.Min(row + 1, last));
        byte* x2 = input.Codes(Math.Min(row + 2, last));
        byte* x3 = input.Codes(Math.Min(row + 3, last));
        if (vnni is not null)
        {
            vnni.FourTiles<TDot>(panel, x0, x1, x2, x3, sums);
            return;
        }

        if (IsWide)
        {
            PanelKernel<TSimd, TVector, TIntegers, TInteger>.FourTiles<TDot>(panel, x0, x1, x2, x3, sums);
            return;
        }

        // The rows that come next are asked for meanwhile.
        for (int next = row + RowGroup; next < Math.Min(row + (2 * RowGroup), input.Count); next++)
        {
            Prefetch(input, next, block, blockCount, TDot.ChunkCount * sizeof(int));
        }

        const int LastTile = WeightPanel.TileCount - 1;
        for (int lane = 0; lane < TileRows; lane += 2 * TIntegers.Lanes)
        {
            PanelKernel<TSimd, TVector, TIntegers, TInteger>.SixVectors<TDot>(
                panel, lane, block, blockCount, x0, x1, sums + lane);
            PanelKernel<TSimd, TVector, TIntegers, TInteger>.SixVectors<TDot>(
                panel, lane, block, blockCount, x2, x3, sums + (2 * TileRows) + lane);
            PanelKernel<TSimd, TVector, TIntegers, TInteger>.TwoVectors<TDot>(
                panel, LastTile, lane, block, blockCount, x0, x1, x2, x3, sums + (LastTile * RowGroup * TileRows) + lane);
        }
    }

    private static void Prefetch(QuantizedRows input, int row, int block, int blockCount, int blockBytes)
    {
        byte* codes = input.Codes(row);
        for (int i = 0; i < blockCount * blockBytes; i += CacheLine.ByteCount)
        {
            CacheLine.Prefetch(codes + (block * blockBytes) + i);
        }

        float* scales = (float*)(codes + input.ScalesOffset) + block;
        CacheLine.Prefetch(scales);
        CacheLine.Prefetch(scales + input.BlockCount);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Put<TDot>(
        WeightPanel panel,
        QuantizedRows input,
        float* sums,
        int inputs,
        int rowsLeft,
        MatMulOutput output,
        int firstInput,
        int firstColumn)
        where TDot : struct, IPanelDot
    {
        float* inputFactors = stackalloc float[TileRows];
        for (int i = 0; i < inputs; i++)
        {
            MatMulRow row = output.Row(firstInput + i, firstColumn);
            if (!TDot.HasInputScales)
            {
                new Span<float>(inputFactors, TileRows).Fill(input.RowScale(firstInput + i));
            }

            for (int tile = 0; tile < WeightPanel.TileCount && rowsLeft > tile * TileRows; tile++)
            {
                int column = tile * TileRows;
                float* products = sums + (((tile * RowGroup) + i) * TileRows);
                float* factors = TDot.HasInputScales ? panel.RowScales + column : inputFactors;
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
