using System.Runtime.CompilerServices;
using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary>Register tiles of a <see cref="WeightPanel"/> by four rows of activations.</summary>
/// <remarks>
/// The integer sums of a block are in registers, the floating-point sums over blocks in memory, which is touched once per block.
/// Operations and their order are those of the kernels that read weights where they lie.
/// </remarks>
internal static unsafe partial class PanelKernel<TSimd, TVector, TIntegers, TInteger>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
    where TIntegers : struct, IIntegerSimd<TInteger, TVector>
    where TInteger : struct
{
    /// <summary>Rows of activations per call.</summary>
    public const int RowGroup = 4;

    /// <summary>Two neighbouring vectors of each of the first three tiles by two rows in some blocks; adds to the sums.</summary>
    /// <remarks>
    /// Twelve sums and their operands are all that 16 registers hold: twelve products for eight reads, where
    /// <see cref="TwoVectors"/> has eight for six, and a row's scale and offset serve six vectors.
    /// </remarks>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void SixVectors<TDot>(
        WeightPanel panel, int lane, int firstBlock, int blockCount, byte* x0, byte* x1, float* sums) // [4 tiles, 4 rows, 16]
        where TDot : struct, IPanelDot
    {
        const int NextTile = RowGroup * PackedLayout.TileRows;
        int statisticsCount = panel.BlockCount;
        long statistics = (2L * statisticsCount * QuantizedRows.BlockColumns) + (firstBlock * sizeof(float));
        int row = (firstBlock * WeightPanel.ScalesPerBlock) + lane;
        float* scales = panel.Scales + row;
        float* offsets = panel.Offsets + row;
        byte* blockCodes = panel.TileCodes(firstBlock, 0) + (lane * sizeof(int));
        long offset = firstBlock * (long)TDot.ChunkCount * sizeof(int);
        for (int block = 0; block < blockCount; block++)
        {
            byte* codes = blockCodes;
            MultiplyChunk<TDot>(
                out TInteger s00, out TInteger s01, out TInteger s10, out TInteger s11, out TInteger s20, out TInteger s21,
                out TInteger s30, out TInteger s31, out TInteger s40, out TInteger s41, out TInteger s50, out TInteger s51,
                codes, x0 + offset, x1 + offset);
            for (int chunk = 4; ; chunk += 4)
            {
                AddThreeChunks<TDot>(
                    ref s00, ref s01, ref s10, ref s11, ref s20, ref s21, ref s30, ref s31, ref s40, ref s41, ref s50, ref s51,
                    codes, x0 + offset, x1 + offset);
                offset += 16;
                if (chunk >= TDot.ChunkCount)
                {
                    break;
                }

                codes += 4 * WeightPanel.ChunkBytes;
                AddChunk<TDot>(
                    ref s00, ref s01, ref s10, ref s11, ref s20, ref s21, ref s30, ref s31, ref s40, ref s41, ref s50, ref s51,
                    codes, x0 + offset, x1 + offset);
            }

            float* f = (float*)(x0 + statistics);
            TVector c = TSimd.Broadcast(f[0]), o = InputOffset<TDot>(f, statisticsCount);
            AddPair<TDot>(s00, s10, scales, offsets, c, o, sums);
            AddPair<TDot>(s20, s30, scales + 16, offsets + 16, c, o, sums + NextTile);
            AddPair<TDot>(s40, s50, scales + 32, offsets + 32, c, o, sums + (2 * NextTile));
            f = (float*)(x1 + statistics);
            c = TSimd.Broadcast(f[0]);
            o = InputOffset<TDot>(f, statisticsCount);
            AddPair<TDot>(s01, s11, scales, offsets, c, o, sums + 16);
            AddPair<TDot>(s21, s31, scales + 16, offsets + 16, c, o, sums + NextTile + 16);
            AddPair<TDot>(s41, s51, scales + 32, offsets + 32, c, o, sums + (2 * NextTile) + 16);
            scales += WeightPanel.ScalesPerBlock;
            offsets += WeightPanel.ScalesPerBlock;
            statistics += sizeof(float);
            blockCodes += WeightPanel.TileCount * TDot.ChunkCount * WeightPanel.ChunkBytes;
        }
    }

    // Chunks 1 to 3 of six vectors by two rows.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddThreeChunks<TDot>(
        ref TInteger s00, ref TInteger s01, ref TInteger s10, ref TInteger s11, ref TInteger s20, ref TInteger s21,
        ref TInteger s30, ref TInteger s31, ref TInteger s40, ref TInteger s41, ref TInteger s50, ref TInteger s51,
        byte* codes, byte* x0, byte* x1)
        where TDot : struct, IPanelDot
    {
        AddChunk<TDot>(
            ref s00, ref s01, ref s10, ref s11, ref s20, ref s21, ref s30, ref s31, ref s40, ref s41, ref s50, ref s51,
            codes + WeightPanel.ChunkBytes, x0 + 4, x1 + 4);
        AddChunk<TDot>(
            ref s00, ref s01, ref s10, ref s11, ref s20, ref s21, ref s30, ref s31, ref s40, ref s41, ref s50, ref s51,
            codes + (2 * WeightPanel.ChunkBytes), x0 + 8, x1 + 8);
        AddChunk<TDot>(
            ref s00, ref s01, ref s10, ref s11, ref s20, ref s21, ref s30, ref s31, ref s40, ref s41, ref s50, ref s51,
            codes + (3 * WeightPanel.ChunkBytes), x0 + 12, x1 + 12);
    }

    // The first chunk of six vectors by two rows.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void MultiplyChunk<TDot>(
        out TInteger s00, out TInteger s01, out TInteger s10, out TInteger s11, out TInteger s20, out TInteger s21,
        out TInteger s30, out TInteger s31, out TInteger s40, out TInteger s41, out TInteger s50, out TInteger s51,
        byte* codes, byte* x0, byte* x1)
        where TDot : struct, IPanelDot
    {
        int tile = TDot.ChunkCount * WeightPanel.ChunkBytes;
        TInteger b0 = TIntegers.Broadcast(x0);
        TInteger b1 = TIntegers.Broadcast(x1);
        Multiply<TDot>(out s00, out s01, TIntegers.Load(codes), b0, b1);
        Multiply<TDot>(out s20, out s21, TIntegers.Load(codes + tile), b0, b1);
        Multiply<TDot>(out s40, out s41, TIntegers.Load(codes + (2 * tile)), b0, b1);
        codes += TIntegers.Lanes * sizeof(int);
        Multiply<TDot>(out s10, out s11, TIntegers.Load(codes), b0, b1);
        Multiply<TDot>(out s30, out s31, TIntegers.Load(codes + tile), b0, b1);
        Multiply<TDot>(out s50, out s51, TIntegers.Load(codes + (2 * tile)), b0, b1);
    }

    // One chunk of six vectors by two rows.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddChunk<TDot>(
        ref TInteger s00, ref TInteger s01, ref TInteger s10, ref TInteger s11, ref TInteger s20, ref TInteger s21,
        ref TInteger s30, ref TInteger s31, ref TInteger s40, ref TInteger s41, ref TInteger s50, ref TInteger s51,
        byte* codes, byte* x0, byte* x1)
        where TDot : struct, IPanelDot
    {
        int tile = TDot.ChunkCount * WeightPanel.ChunkBytes;
        TInteger b0 = TIntegers.Broadcast(x0);
        TInteger b1 = TIntegers.Broadcast(x1);
        Add<TDot>(ref s00, ref s01, TIntegers.Load(codes), b0, b1);
        Add<TDot>(ref s20, ref s21, TIntegers.Load(codes + tile), b0, b1);
        Add<TDot>(ref s40, ref s41, TIntegers.Load(codes + (2 * tile)), b0, b1);
        codes += TIntegers.Lanes * sizeof(int);
        Add<TDot>(ref s10, ref s11, TIntegers.Load(codes), b0, b1);
        Add<TDot>(ref s30, ref s31, TIntegers.Load(codes + tile), b0, b1);
        Add<TDot>(ref s50, ref s51, TIntegers.Load(codes + (2 * tile)), b0, b1);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Multiply<TDot>(out TInteger s0, out TInteger s1, TInteger w, TInteger b0, TInteger b1)
        where TDot : struct, IPanelDot
    {
        s0 = TDot.Multiply<TIntegers, TInteger, TVector>(w, b0);
        s1 = TDot.Multiply<TIntegers, TInteger, TVector>(w, b1);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add<TDot>(ref TInteger s0, ref TInteger s1, TInteger w, TInteger b0, TInteger b1)
        where TDot : struct, IPanelDot
    {
        s0 = TDot.Add<TIntegers, TInteger, TVector>(s0, w, b0);
        s1 = TDot.Add<TIntegers, TInteger, TVector>(s1, w, b1);
    }

    /// <summary>
    /// Two neighbouring vectors of one tile in some blocks, for narrower vectors and machines with few registers; adds to the sums.
    /// </summary>
    /// <remarks>Eight chunks stand in a row: a loop over them takes as many instructions again as fit in a cycle.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void TwoVectors<TDot>(
        WeightPanel panel,
        int tile,
        int lane,
        int firstBlock,
        int blockCount,
        byte* x0,
        byte* x1,
        byte* x2,
        byte* x3,
        float* sums) // [4 rows, 16]
        where TDot : struct, IPanelDot
    {
        int statisticsCount = panel.BlockCount;
        long statistics = (2L * statisticsCount * QuantizedRows.BlockColumns) + (firstBlock * sizeof(float));
        int row = (firstBlock * WeightPanel.ScalesPerBlock) + (tile * PackedLayout.TileRows) + lane;
        float* scales = panel.Scales + row;
        float* offsets = panel.Offsets + row;
        byte* blockCodes = panel.TileCodes(firstBlock, tile) + (lane * sizeof(int));
        long offset = firstBlock * (long)TDot.ChunkCount * sizeof(int);
        for (int block = 0; block < blockCount; block++)
        {
            byte* codes = blockCodes;
            MultiplyChunk<TDot>(
                out TInteger s00, out TInteger s01, out TInteger s02, out TInteger s03,
                out TInteger s10, out TInteger s11, out TInteger s12, out TInteger s13,
                codes, x0 + offset, x1 + offset, x2 + offset, x3 + offset);
            for (int chunk = 4; ; chunk += 4)
            {
                AddThreeChunks<TDot>(
                    ref s00, ref s01, ref s02, ref s03, ref s10, ref s11, ref s12, ref s13,
                    codes, x0 + offset, x1 + offset, x2 + offset, x3 + offset);
                offset += 16;
                if (chunk >= TDot.ChunkCount)
                {
                    break;
                }

                codes += 4 * WeightPanel.ChunkBytes;
                AddChunk<TDot>(
                    ref s00, ref s01, ref s02, ref s03, ref s10, ref s11, ref s12, ref s13,
                    codes, x0 + offset, x1 + offset, x2 + offset, x3 + offset);
            }

            AddPair<TDot>(s00, s10, scales, offsets, (float*)(x0 + statistics), statisticsCount, sums);
            AddPair<TDot>(s01, s11, scales, offsets, (float*)(x1 + statistics), statisticsCount, sums + 16);
            AddPair<TDot>(s02, s12, scales, offsets, (float*)(x2 + statistics), statisticsCount, sums + 32);
            AddPair<TDot>(s03, s13, scales, offsets, (float*)(x3 + statistics), statisticsCount, sums + 48);
            scales += WeightPanel.ScalesPerBlock;
            offsets += WeightPanel.ScalesPerBlock;
            statistics += sizeof(float);
            blockCodes += WeightPanel.TileCount * TDot.ChunkCount * WeightPanel.ChunkBytes;
        }
    }

    // Chunks 1 to 3 of two vectors by four rows.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddThreeChunks<TDot>(
        ref TInteger s00, ref TInteger s01, ref TInteger s02, ref TInteger s03,
        ref TInteger s10, ref TInteger s11, ref TInteger s12, ref TInteger s13,
        byte* codes, byte* x0, byte* x1, byte* x2, byte* x3)
        where TDot : struct, IPanelDot
    {
        AddChunk<TDot>(
            ref s00, ref s01, ref s02, ref s03, ref s10, ref s11, ref s12, ref s13,
            codes + WeightPanel.ChunkBytes, x0 + 4, x1 + 4, x2 + 4, x3 + 4);
        AddChunk<TDot>(
            ref s00, ref s01, ref s02, ref s03, ref s10, ref s11, ref s12, ref s13,
            codes + (2 * WeightPanel.ChunkBytes), x0 + 8, x1 + 8, x2 + 8, x3 + 8);
        AddChunk<TDot>(
            ref s00, ref s01, ref s02, ref s03, ref s10, ref s11, ref s12, ref s13,
            codes + (3 * WeightPanel.ChunkBytes), x0 + 12, x1 + 12, x2 + 12, x3 + 12);
    }

    // The first chunk of two vectors by four rows.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void MultiplyChunk<TDot>(
        out TInteger s00, out TInteger s01, out TInteger s02, out TInteger s03,
        out TInteger s10, out TInteger s11, out TInteger s12, out TInteger s13,
        byte* codes, byte* x0, byte* x1, byte* x2, byte* x3)
        where TDot : struct, IPanelDot
    {
        TInteger b0 = TIntegers.Broadcast(x0);
        TInteger b1 = TIntegers.Broadcast(x1);
        TInteger b2 = TIntegers.Broadcast(x2);
        TInteger b3 = TIntegers.Broadcast(x3);
        Multiply<TDot>(out s00, out s01, TIntegers.Load(codes), b0, b1);
        Multiply<TDot>(out s02, out s03, TIntegers.Load(codes), b2, b3);
        codes += TIntegers.Lanes * sizeof(int);
        Multiply<TDot>(out s10, out s11, TIntegers.Load(codes), b0, b1);
        Multiply<TDot>(out s12, out s13, TIntegers.Load(codes), b2, b3);
    }

    // One chunk of two vectors by four rows.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddChunk<TDot>(
        ref TInteger s00, ref TInteger s01, ref TInteger s02, ref TInteger s03,
        ref TInteger s10, ref TInteger s11, ref TInteger s12, ref TInteger s13,
        byte* codes, byte* x0, byte* x1, byte* x2, byte* x3)
        where TDot : struct, IPanelDot
    {
        TInteger b0 = TIntegers.Broadcast(x0);
        TInteger b1 = TIntegers.Broadcast(x1);
        TInteger b2 = TIntegers.Broadcast(x2);
        TInteger b3 = TIntegers.Broadcast(x3);
        Add<TDot>(ref s00, ref s01, TIntegers.Load(codes), b0, b1);
        Add<TDot>(ref s02, ref s03, TIntegers.Load(codes), b2, b3);
        codes += TIntegers.Lanes * sizeof(int);
        Add<TDot>(ref s10, ref s11, TIntegers.Load(codes), b0, b1);
        Add<TDot>(ref s12, ref s13, TIntegers.Load(codes), b2, b3);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddScaled<TDot>(
        TInteger sums, float* scales, TVector inputScale, TVector offsets, TVector inputOffset, float* output)
        where TDot : struct, IPanelDot
    {
        TVector sum = TSimd.Load(output);
        if (TDot.HasIntegerScales)
        {
            TVector scaled = TIntegers.ToFloat(TIntegers.TotalOfBytes(sums, TIntegers.Load((byte*)scales)));
            TSimd.Store(output, TSimd.MultiplyAdd(TSimd.MultiplyAdd(offsets, inputOffset, scaled), inputScale, sum));
            return;
        }

        TVector products = TIntegers.ToFloat(TDot.Total<TIntegers, TInteger, TVector>(sums));
        sum = TSimd.MultiplyAdd(TSimd.Load(scales), TDot.HasInputScales ? TSimd.Multiply(products, inputScale) : products, sum);
        TSimd.Store(output, TDot.HasOffsets ? TSimd.MultiplyAdd(offsets, inputOffset, sum) : sum);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddPair<TDot>(
        TInteger first, TInteger second, float* scales, float* offsets, float* statistics, int blocks, float* output)
        where TDot : struct, IPanelDot =>
        AddPair<TDot>(
            first, second, scales, offsets, TSimd.Broadcast(statistics[0]), InputOffset<TDot>(statistics, blocks), output);

    // What a block's offset of the weights is multiplied with: before the scale of the activations, or after it.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector InputOffset<TDot>(float* scale, int blocks)
        where TDot : struct, IPanelDot =>
        TSimd.Broadcast(TDot.HasIntegerScales ? *QuantizedRows.NegativeSum(scale, blocks) : scale[blocks]);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddPair<TDot>(
        TInteger first, TInteger second, float* scales, float* offsets, TVector inputScale, TVector inputOffset, float* output)
        where TDot : struct, IPanelDot
    {
        AddScaled<TDot>(first, scales, inputScale, TSimd.Load(offsets), inputOffset, output);
        int next = TSimd.Width;
        AddScaled<TDot>(
            second, scales + next, inputScale, TSimd.Load(offsets + next), inputOffset, output + next);
    }
}
