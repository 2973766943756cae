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

    /// <summary>Two neighbouring vectors of one tile, for narrower vectors and machines with few registers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void TwoVectors<TDot>(
        WeightPanel panel, int tile, int lane, byte* x0, byte* x1, byte* x2, byte* x3, float* sums) // [4 rows, 16]
        where TDot : struct, IPanelDot
    {
        int blocks = panel.BlockCount;
        long statistics = 2L * blocks * QuantizedRows.BlockColumns;
        int second = TIntegers.Lanes * sizeof(int);
        float* scales = panel.Scales + (tile * PackedLayout.TileRows) + lane;
        float* offsets = panel.Offsets + (tile * PackedLayout.TileRows) + lane;
        long offset = 0;
        for (int block = 0; block < blocks; block++)
        {
            byte* codes = panel.TileCodes(block, tile) + (lane * sizeof(int));
            TInteger s00 = TIntegers.Zero, s01 = TIntegers.Zero, s02 = TIntegers.Zero, s03 = TIntegers.Zero;
            TInteger s10 = TIntegers.Zero, s11 = TIntegers.Zero, s12 = TIntegers.Zero, s13 = TIntegers.Zero;
            for (int chunk = 0; chunk < TDot.ChunkCount; chunk++, offset += 4, codes += WeightPanel.ChunkBytes)
            {
                TInteger b0 = TIntegers.Broadcast(x0 + offset);
                TInteger b1 = TIntegers.Broadcast(x1 + offset);
                TInteger b2 = TIntegers.Broadcast(x2 + offset);
                TInteger b3 = TIntegers.Broadcast(x3 + offset);
                TInteger w = TIntegers.Load(codes);
                TDot.Add<TIntegers, TInteger, TVector>(ref s00, ref s01, ref s02, ref s03, w, b0, b1, b2, b3);
                w = TIntegers.Load(codes + second);
                TDot.Add<TIntegers, TInteger, TVector>(ref s10, ref s11, ref s12, ref s13, w, b0, b1, b2, b3);
            }

            AddPair<TDot>(s00, s10, scales, offsets, (float*)(x0 + statistics), blocks, sums);
            AddPair<TDot>(s01, s11, scales, offsets, (float*)(x1 + statistics), blocks, sums + 16);
            AddPair<TDot>(s02, s12, scales, offsets, (float*)(x2 + statistics), blocks, sums + 32);
            AddPair<TDot>(s03, s13, scales, offsets, (float*)(x3 + statistics), blocks, sums + 48);
            scales += WeightPanel.ScalesPerBlock;
            offsets += WeightPanel.ScalesPerBlock;
            statistics += sizeof(float);
        }
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
        where TDot : struct, IPanelDot
    {
        TVector inputScale = TSimd.Broadcast(statistics[0]);
        TVector inputOffset = TSimd.Broadcast(statistics[blocks]);
        AddScaled<TDot>(first, scales, inputScale, TSimd.Load(offsets), inputOffset, output);
        int next = TSimd.Width;
        AddScaled<TDot>(
            second, scales + next, inputScale, TSimd.Load(offsets + next), inputOffset, output + next);
    }
}
