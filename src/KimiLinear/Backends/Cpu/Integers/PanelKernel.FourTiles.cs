using System.Runtime.CompilerServices;
using KimiLinear.Tensors;

namespace KimiLinear.Backends;

internal static unsafe partial class PanelKernel<TSimd, TVector, TIntegers, TInteger>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
    where TIntegers : struct, IIntegerSimd<TInteger, TVector>
    where TInteger : struct
{
    /// <summary>The sums of all four tiles at once, for vectors as wide as a tile on machines with many registers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void FourTiles<TDot>(
        WeightPanel panel, byte* x0, byte* x1, byte* x2, byte* x3, float* sums) // [4 tiles, 4 rows, 16]
        where TDot : struct, IPanelDot
    {
        int tile = TDot.ChunkCount * WeightPanel.ChunkBytes;
        int blocks = panel.BlockCount;
        long statistics = 2L * blocks * QuantizedRows.BlockColumns;
        byte* codes = panel.Codes;
        float* scales = panel.Scales;
        float* offsets = panel.Offsets;
        long offset = 0;
        for (int i = 0; i < WeightPanel.TileCount * RowGroup; i++)
        {
            TSimd.Store(sums + (i * PackedLayout.TileRows), TSimd.Zero);
        }

        for (int block = 0; block < blocks; block++)
        {
            TInteger b0 = TIntegers.Broadcast(x0 + offset);
            TInteger b1 = TIntegers.Broadcast(x1 + offset);
            TInteger b2 = TIntegers.Broadcast(x2 + offset);
            TInteger b3 = TIntegers.Broadcast(x3 + offset);
            Multiply<TDot>(codes, b0, b1, b2, b3, out TInteger s00, out TInteger s01, out TInteger s02, out TInteger s03);
            Multiply<TDot>(codes + tile, b0, b1, b2, b3, out TInteger s10, out TInteger s11, out TInteger s12, out TInteger s13);
            Multiply<TDot>(codes + (2 * tile), b0, b1, b2, b3, out TInteger s20, out TInteger s21, out TInteger s22, out TInteger s23);
            Multiply<TDot>(codes + (3 * tile), b0, b1, b2, b3, out TInteger s30, out TInteger s31, out TInteger s32, out TInteger s33);
            codes += WeightPanel.ChunkBytes;
            offset += 4;
            for (int chunk = 1; chunk < TDot.ChunkCount; chunk++, offset += 4, codes += WeightPanel.ChunkBytes)
            {
                b0 = TIntegers.Broadcast(x0 + offset);
                b1 = TIntegers.Broadcast(x1 + offset);
                b2 = TIntegers.Broadcast(x2 + offset);
                b3 = TIntegers.Broadcast(x3 + offset);
                AddTwoTiles<TDot>(
                    ref s00, ref s01, ref s02, ref s03, ref s10, ref s11, ref s12, ref s13, codes, codes + tile, b0, b1, b2, b3);
                AddTwoTiles<TDot>(
                    ref s20, ref s21, ref s22, ref s23, ref s30, ref s31, ref s32, ref s33,
                    codes + (2 * tile), codes + (3 * tile), b0, b1, b2, b3);
            }

            codes += (WeightPanel.TileCount - 1) * tile;
            float* f0 = (float*)(x0 + statistics);
            float* f1 = (float*)(x1 + statistics);
            float* f2 = (float*)(x2 + statistics);
            float* f3 = (float*)(x3 + statistics);
            TVector c0 = TSimd.Broadcast(f0[0]), c1 = TSimd.Broadcast(f1[0]);
            TVector c2 = TSimd.Broadcast(f2[0]), c3 = TSimd.Broadcast(f3[0]);
            TVector o0 = InputOffset<TDot>(f0, blocks), o1 = InputOffset<TDot>(f1, blocks);
            TVector o2 = InputOffset<TDot>(f2, blocks), o3 = InputOffset<TDot>(f3, blocks);
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

    // One chunk of a tile by four rows.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Multiply<TDot>(
        byte* codes, TInteger b0, TInteger b1, TInteger b2, TInteger b3,
        out TInteger s0, out TInteger s1, out TInteger s2, out TInteger s3)
        where TDot : struct, IPanelDot
    {
        TInteger w = TIntegers.Load(codes);
        s0 = TDot.Multiply<TIntegers, TInteger, TVector>(w, b0);
        s1 = TDot.Multiply<TIntegers, TInteger, TVector>(w, b1);
        s2 = TDot.Multiply<TIntegers, TInteger, TVector>(w, b2);
        s3 = TDot.Multiply<TIntegers, TInteger, TVector>(w, b3);
    }

    // One chunk of two tiles by four rows. Products and sums in turn get in each other's way: eight of either at a time.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddTwoTiles<TDot>(
        ref TInteger s00, ref TInteger s01, ref TInteger s02, ref TInteger s03,
        ref TInteger s10, ref TInteger s11, ref TInteger s12, ref TInteger s13,
        byte* codes, byte* next, TInteger b0, TInteger b1, TInteger b2, TInteger b3)
        where TDot : struct, IPanelDot
    {
        Multiply<TDot>(codes, b0, b1, b2, b3, out TInteger p00, out TInteger p01, out TInteger p02, out TInteger p03);
        Multiply<TDot>(next, b0, b1, b2, b3, out TInteger p10, out TInteger p11, out TInteger p12, out TInteger p13);
        s00 = TDot.AddSums<TIntegers, TInteger, TVector>(s00, p00);
        s01 = TDot.AddSums<TIntegers, TInteger, TVector>(s01, p01);
        s02 = TDot.AddSums<TIntegers, TInteger, TVector>(s02, p02);
        s03 = TDot.AddSums<TIntegers, TInteger, TVector>(s03, p03);
        s10 = TDot.AddSums<TIntegers, TInteger, TVector>(s10, p10);
        s11 = TDot.AddSums<TIntegers, TInteger, TVector>(s11, p11);
        s12 = TDot.AddSums<TIntegers, TInteger, TVector>(s12, p12);
        s13 = TDot.AddSums<TIntegers, TInteger, TVector>(s13, p13);
    }
}
