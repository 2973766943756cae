using System.Runtime.CompilerServices;
using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary>Reads the latent rows of a page in vectors.</summary>
internal static unsafe class LatentPage<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    /// <summary>The first rows of a page as float32: the page itself, or a copy in scratch.</summary>
    public static float* Widen(CacheLayout layout, byte* page, int rowCount, ScratchBuffer scratch) // [rowCount, R + P]
    {
        if (layout.Precision == LatentPrecision.Float32)
        {
            return (float*)page;
        }

        float* rows = scratch.Get((long)CacheLayout.PageTokens * layout.RowLength);
        if (layout.Precision == LatentPrecision.BFloat16)
        {
            WidenBFloat16((ushort*)page, rows, rowCount * layout.RowLength);
            return rows;
        }

        for (int row = 0; row < rowCount; row++)
        {
            short* integers = LatentRows.Integers(layout, page) + ((long)row * layout.IntegerRowLength);
            float* values = rows + ((long)row * layout.RowLength);
            WidenInt16(integers, LatentRows.LatentScales(layout, page)[row], values, layout.Rank);
            WidenInt16(
                integers + layout.IntegerRank,
                LatentRows.SharedScales(layout, page)[row],
                values + layout.Rank,
                layout.SharedLength);
        }

        return rows;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void WidenBFloat16(ushort* source, float* destination, int length)
    {
        int i = 0;
        for (; i + TSimd.Width <= length; i += TSimd.Width)
        {
            TSimd.Store(destination + i, TSimd.LoadBFloat16(source + i));
        }

        for (; i < length; i++)
        {
            destination[i] = BitConverter.UInt32BitsToSingle((uint)source[i] << 16);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void WidenInt16(short* source, float scale, float* destination, int length)
    {
        TVector scales = TSimd.Broadcast(scale);
        int i = 0;
        for (; i + TSimd.Width <= length; i += TSimd.Width)
        {
            TSimd.Store(destination + i, TSimd.Multiply(TSimd.LoadInt16(source + i), scales));
        }

        for (; i < length; i++)
        {
            destination[i] = source[i] * scale;
        }
    }
}
