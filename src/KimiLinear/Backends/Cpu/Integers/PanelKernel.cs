using System.Runtime.CompilerServices;
using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary>Register tiles of a <see cref="WeightPanel"/> by four rows of activations.</summary>
/// <remarks>
/// The integer sums of a block are in registers, the floating-point sums over blocks in memory, which is touched once per block.
/// Operations and their order are those of the kernels that read weights where they lie.
/// </remarks>
internal static unsafe class PanelKernel<TSimd, TVector, TIntegers, TInteger>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
    where TIntegers : struct, IIntegerSimd<TInteger, TVector>
    where TInteger : struct
{
    /// <summary>Rows of activations per call.</summary>
    public const int RowGroup = 4;

    /// <summary>All four tiles at once, for vectors as wide as a tile on machines with many registers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void FourTiles<TDot>(
        WeightPanel panel, byte* x0, byte* x1, byte* x2, byte* x3, float* sums) // [4 tiles, 4 rows, 16]
        where TDot : struct, IPanelDot
    {
        int blocks = panel.BlockCount;
        long statistics = 2L * blocks * QuantizedRows.BlockColumns;
        byte* codes = panel.Codes;
        float* scales = panel.Scales;
        float* offsets = panel.Offsets;
        long offset = 0;
        for (int block = 0; block < blocks; block++)
        {
            TInteger s00 = TIntegers.Zero, s01 = TIntegers.Zero, s02 = TIntegers.Zero, s03 = TIntegers.Zero;
            TInteger s10 = TIntegers.Zero, s11 = TIntegers.Zero, s12 = TIntegers.Zero, s13 = TIntegers.Zero;
            TInteger s20 = TIntegers.Zero, s21 = TIntegers.Zero, s22 = TIntegers.Zero, s23 = TIntegers.Zero;
            TInteger s30 = TIntegers.Zero, s31 = TIntegers.Zero, s32 = TIntegers.Zero, s33 = TIntegers.Zero;
            for (int chunk = 0; chunk < TDot.ChunkCount; chunk++, offset += 4, codes += WeightPanel.ChunkBytes)
            {
                TInteger b0 = TIntegers.Broadcast(x0 + offset);
                TInteger b1 = TIntegers.Broadcast(x1 + offset);
                TInteger b2 = TIntegers.Broadcast(x2 + offset);
                TInteger b3 = TIntegers.Broadcast(x3 + offset);
                TInteger w = TIntegers.Load(codes);
                TDot.Add<TIntegers, TInteger, TVector>(ref s00, ref s01, ref s02, ref s03, w, b0, b1, b2, b3);
                w = TIntegers.Load(codes + (TDot.ChunkCount * WeightPanel.ChunkBytes));
                TDot.Add<TIntegers, TInteger, TVector>(ref s10, ref s11, ref s12, ref s13, w, b0, b1, b2, b3);
                w = TIntegers.Load(codes + (2 * TDot.ChunkCount * WeightPanel.ChunkBytes));
                TDot.Add<TIntegers, TInteger, TVector>(ref s20, ref s21, ref s22, ref s23, w, b0, b1, b2, b3);
                w = TIntegers.Load(codes + (3 * TDot.ChunkCount * WeightPanel.ChunkBytes));
                TDot.Add<TIntegers, TInteger, TVector>(ref s30, ref s31, ref s32, ref s33, w, b0, b1, b2, b3);
            }

            codes += (WeightPanel.TileCount - 1) * TDot.ChunkCount * WeightPanel.ChunkBytes;
            float* f0 = (float*)(x0 + statistics);
            float* f1 = (float*)(x1 + statistics);
            float* f2 = (float*)(x2 + statistics);
            float* f3 = (float*)(x3 + statistics);
            TVector c0 = TSimd.Broadcast(f0[0]), c1 = TSimd.Broadcast(f1[0]);
            TVector c2 = TSimd.Broadcast(f2[0]), c3 = TSimd.Broadcast(f3[0]);
            TVector o0 = TSimd.Broadcast(f0[blocks]), o1 = TSimd.Broadcast(f1[blocks]);
            TVector o2 = TSimd.Broadcast(f2[blocks]), o3 = TSimd.Broadcast(f3[blocks]);
            float* a = scales;
            TVector z = TDot.HasOffsets ? TSimd.Load(offsets) : TSimd.Zero;
            AddScaled<TDot>(s00, a, c0, z, o0, sums);
            AddScaled<TDot>(s01, a, c1, z, o1, sums + 16);
            AddScaled<TDot>(s02, a, c2, z, o2, sums + 32);
            AddScaled<TDot>(s03, a, c3, z, o3, sums + 48);
            a = scales + 16;
            z = TDot.HasOffsets ? TSimd.Load(offsets + 16) : TSimd.Zero;
            AddScaled<TDot>(s10, a, c0, z, o0, sums + 64);
            AddScaled<TDot>(s11, a, c1, z, o1, sums + 80);
            AddScaled<TDot>(s12, a, c2, z, o2, sums + 96);
            AddScaled<TDot>(s13, a, c3, z, o3, sums + 112);
            a = scales + 32;
            z = TDot.HasOffsets ? TSimd.Load(offsets + 32) : TSimd.Zero;
            AddScaled<TDot>(s20, a, c0, z, o0, sums + 128);
            AddScaled<TDot>(s21, a, c1, z, o1, sums + 144);
            AddScaled<TDot>(s22, a, c2, z, o2, sums + 160);
            AddScaled<TDot>(s23, a, c3, z, o3, sums + 176);
            a = scales + 48;
            z = TDot.HasOffsets ? TSimd.Load(offsets + 48) : TSimd.Zero;
            AddScaled<TDot>(s30, a, c0, z, o0, sums + 192);
            AddScaled<TDot>(s31, a, c1, z, o1, sums + 208);
            AddScaled<TDot>(s32, a, c2, z, o2, sums + 224);
            AddScaled<TDot>(s33, a, c3, z, o3, sums + 240);
            offsets += WeightPanel.ScalesPerBlock;
            scales += WeightPanel.ScalesPerBlock;
            statistics += sizeof(float);
        }
    }

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
            TInteger s00 = TIntegers.Zero, s01 = TIntegers.Zero, s10 = TIntegers.Zero, s11 = TIntegers.Zero;
            TInteger s20 = TIntegers.Zero, s21 = TIntegers.Zero, s30 = TIntegers.Zero, s31 = TIntegers.Zero;
            TInteger s40 = TIntegers.Zero, s41 = TIntegers.Zero, s50 = TIntegers.Zero, s51 = TIntegers.Zero;
            for (int chunk = 0; chunk < TDot.ChunkCount; chunk += 8)
            {
                AddChunk<TDot>(
                    ref s00, ref s01, ref s10, ref s11, ref s20, ref s21, ref s30, ref s31, ref s40, ref s41, ref s50, ref s51,
                    codes, x0 + offset, x1 + offset);
                AddChunk<TDot>(
                    ref s00, ref s01, ref s10, ref s11, ref s20, ref s21, ref s30, ref s31, ref s40, ref s41, ref s50, ref s51,
                    codes + WeightPanel.ChunkBytes, x0 + offset + 4, x1 + offset + 4);
                AddChunk<TDot>(
                    ref s00, ref s01, ref s10, ref s11, ref s20, ref s21, ref s30, ref s31, ref s40, ref s41, ref s50, ref s51,
                    codes + (2 * WeightPanel.ChunkBytes), x0 + offset + 8, x1 + offset + 8);
                AddChunk<TDot>(
                    ref s00, ref s01, ref s10, ref s11, ref s20, ref s21, ref s30, ref s31, ref s40, ref s41, ref s50, ref s51,
                    codes + (3 * WeightPanel.ChunkBytes), x0 + offset + 12, x1 + offset + 12);
                AddChunk<TDot>(
                    ref s00, ref s01, ref s10, ref s11, ref s20, ref s21, ref s30, ref s31, ref s40, ref s41, ref s50, ref s51,
                    codes + (4 * WeightPanel.ChunkBytes), x0 + offset + 16, x1 + offset + 16);
                AddChunk<TDot>(
                    ref s00, ref s01, ref s10, ref s11, ref s20, ref s21, ref s30, ref s31, ref s40, ref s41, ref s50, ref s51,
                    codes + (5 * WeightPanel.ChunkBytes), x0 + offset + 20, x1 + offset + 20);
                AddChunk<TDot>(
                    ref s00, ref s01, ref s10, ref s11, ref s20, ref s21, ref s30, ref s31, ref s40, ref s41, ref s50, ref s51,
                    codes + (6 * WeightPanel.ChunkBytes), x0 + offset + 24, x1 + offset + 24);
                AddChunk<TDot>(
                    ref s00, ref s01, ref s10, ref s11, ref s20, ref s21, ref s30, ref s31, ref s40, ref s41, ref s50, ref s51,
                    codes + (7 * WeightPanel.ChunkBytes), x0 + offset + 28, x1 + offset + 28);
                offset += 32;
                codes += 8 * WeightPanel.ChunkBytes;
            }

            float* f = (float*)(x0 + statistics);
            TVector c = TSimd.Broadcast(f[0]), o = TSimd.Broadcast(f[statisticsCount]);
            AddPair<TDot>(s00, s10, scales, offsets, c, o, sums);
            AddPair<TDot>(s20, s30, scales + 16, offsets + 16, c, o, sums + NextTile);
            AddPair<TDot>(s40, s50, scales + 32, offsets + 32, c, o, sums + (2 * NextTile));
            f = (float*)(x1 + statistics);
            c = TSimd.Broadcast(f[0]);
            o = TSimd.Broadcast(f[statisticsCount]);
            AddPair<TDot>(s01, s11, scales, offsets, c, o, sums + 16);
            AddPair<TDot>(s21, s31, scales + 16, offsets + 16, c, o, sums + NextTile + 16);
            AddPair<TDot>(s41, s51, scales + 32, offsets + 32, c, o, sums + (2 * NextTile) + 16);
            scales += WeightPanel.ScalesPerBlock;
            offsets += WeightPanel.ScalesPerBlock;
            statistics += sizeof(float);
            blockCodes += WeightPanel.TileCount * TDot.ChunkCount * WeightPanel.ChunkBytes;
        }
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
        TDot.Add<TIntegers, TInteger, TVector>(ref s00, ref s01, TIntegers.Load(codes), b0, b1);
        TDot.Add<TIntegers, TInteger, TVector>(ref s20, ref s21, TIntegers.Load(codes + tile), b0, b1);
        TDot.Add<TIntegers, TInteger, TVector>(ref s40, ref s41, TIntegers.Load(codes + (2 * tile)), b0, b1);
        codes += TIntegers.Lanes * sizeof(int);
        TDot.Add<TIntegers, TInteger, TVector>(ref s10, ref s11, TIntegers.Load(codes), b0, b1);
        TDot.Add<TIntegers, TInteger, TVector>(ref s30, ref s31, TIntegers.Load(codes + tile), b0, b1);
        TDot.Add<TIntegers, TInteger, TVector>(ref s50, ref s51, TIntegers.Load(codes + (2 * tile)), b0, b1);
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
            TInteger s00 = TIntegers.Zero, s01 = TIntegers.Zero, s02 = TIntegers.Zero, s03 = TIntegers.Zero;
            TInteger s10 = TIntegers.Zero, s11 = TIntegers.Zero, s12 = TIntegers.Zero, s13 = TIntegers.Zero;
            for (int chunk = 0; chunk < TDot.ChunkCount; chunk += 8)
            {
                AddChunk<TDot>(
                    ref s00, ref s01, ref s02, ref s03, ref s10, ref s11, ref s12, ref s13,
                    codes, x0 + offset, x1 + offset, x2 + offset, x3 + offset);
                AddChunk<TDot>(
                    ref s00, ref s01, ref s02, ref s03, ref s10, ref s11, ref s12, ref s13,
                    codes + WeightPanel.ChunkBytes, x0 + offset + 4, x1 + offset + 4, x2 + offset + 4, x3 + offset + 4);
                AddChunk<TDot>(
                    ref s00, ref s01, ref s02, ref s03, ref s10, ref s11, ref s12, ref s13,
                    codes + (2 * WeightPanel.ChunkBytes), x0 + offset + 8, x1 + offset + 8, x2 + offset + 8, x3 + offset + 8);
                AddChunk<TDot>(
                    ref s00, ref s01, ref s02, ref s03, ref s10, ref s11, ref s12, ref s13,
                    codes + (3 * WeightPanel.ChunkBytes), x0 + offset + 12, x1 + offset + 12, x2 + offset + 12, x3 + offset + 12);
                AddChunk<TDot>(
                    ref s00, ref s01, ref s02, ref s03, ref s10, ref s11, ref s12, ref s13,
                    codes + (4 * WeightPanel.ChunkBytes), x0 + offset + 16, x1 + offset + 16, x2 + offset + 16, x3 + offset + 16);
                AddChunk<TDot>(
                    ref s00, ref s01, ref s02, ref s03, ref s10, ref s11, ref s12, ref s13,
                    codes + (5 * WeightPanel.ChunkBytes), x0 + offset + 20, x1 + offset + 20, x2 + offset + 20, x3 + offset + 20);
                AddChunk<TDot>(
                    ref s00, ref s01, ref s02, ref s03, ref s10, ref s11, ref s12, ref s13,
                    codes + (6 * WeightPanel.ChunkBytes), x0 + offset + 24, x1 + offset + 24, x2 + offset + 24, x3 + offset + 24);
                AddChunk<TDot>(
                    ref s00, ref s01, ref s02, ref s03, ref s10, ref s11, ref s12, ref s13,
                    codes + (7 * WeightPanel.ChunkBytes), x0 + offset + 28, x1 + offset + 28, x2 + offset + 28, x3 + offset + 28);
                offset += 32;
                codes += 8 * WeightPanel.ChunkBytes;
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
        TInteger w = TIntegers.Load(codes);
        TDot.Add<TIntegers, TInteger, TVector>(ref s00, ref s01, ref s02, ref s03, w, b0, b1, b2, b3);
        w = TIntegers.Load(codes + (TIntegers.Lanes * sizeof(int)));
        TDot.Add<TIntegers, TInteger, TVector>(ref s10, ref s11, ref s12, ref s13, w, b0, b1, b2, b3);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddScaled<TDot>(
        TInteger sums, float* scales, TVector inputScale, TVector offsets, TVector inputOffset, float* output)
        where TDot : struct, IPanelDot
    {
        TVector sum = TSimd.Load(output);
        if (TDot.HasIntegerScales)
        {
            TInteger scaled = TIntegers.TotalOfBytes(sums, TIntegers.Load((byte*)scales));
            sum = TSimd.MultiplyAdd(TIntegers.ToFloat(scaled), inputScale, sum);
        }
        else
        {
            TVector products = TIntegers.ToFloat(TDot.Total<TIntegers, TInteger, TVector>(sums));
            sum = TSimd.MultiplyAdd(TSimd.Load(scales), TSimd.Multiply(products, inputScale), sum);
        }

        TSimd.Store(output, TDot.HasOffsets ? TSimd.MultiplyAdd(offsets, inputOffset, sum) : sum);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddPair<TDot>(
        TInteger first, TInteger second, float* scales, float* offsets, float* statistics, int blocks, float* output)
        where TDot : struct, IPanelDot =>
        AddPair<TDot>(
            first, second, scales, offsets, TSimd.Broadcast(statistics[0]), TSimd.Broadcast(statistics[blocks]), output);

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
