using System.Runtime.CompilerServices;
using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary>Fills a <see cref="WeightPanel"/> from GGUF blocks, up to eight blocks of 32 columns at a time.</summary>
internal static unsafe class StripPanel<TVector, TIntegers, TInteger>
    where TVector : struct
    where TIntegers : struct, IStripSimd<TInteger, TVector>
    where TInteger : struct
{
    /// <summary>The widened codes of a strip, for <see cref="ShortDot"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void PutShorts(byte* codes, int blockCount, WeightPanel panel, int firstBlock, int tile)
    {
        for (int block = 0; block < blockCount; block++, codes += StripLayout.BlockBytes)
        {
            for (int lane = 0; lane < StripLayout.RowCount; lane += TIntegers.Lanes)
            {
                byte* source = codes + StripLayout.RowOffset(lane);
                byte* target = panel.TileCodes(firstBlock + block, tile) + (lane * sizeof(int));
                for (int chunk = 0; chunk < StripLayout.ChunkCount; chunk++)
                {
                    TInteger a = TIntegers.Load(source);
                    TInteger b = TIntegers.Load(source + StripLayout.GroupBytes);
                    TInteger c = TIntegers.Load(source + (2 * StripLayout.GroupBytes));
                    TInteger d = TIntegers.Load(source + (3 * StripLayout.GroupBytes));
                    TIntegers.Transpose(ref a, ref b, ref c, ref d);
                    TIntegers.Store(target, a);
                    TIntegers.Store(target + WeightPanel.ChunkBytes, b);
                    TIntegers.Store(target + (2 * WeightPanel.ChunkBytes), c);
                    TIntegers.Store(target + (3 * WeightPanel.ChunkBytes), d);
                    target += 4 * WeightPanel.ChunkBytes;
                    source += StripLayout.ChunkBytes;
                }
            }
        }
    }

    /// <summary>The codes of a strip of 4-bit blocks as bytes, for <see cref="ByteDot"/>.</summary>
    /// <param name="type">A type with 4 bits.</param>
    /// <param name="rows">The strip's first block in the first of 16 rows.</param>
    /// <param name="rowBytes">Bytes from a row to the next.</param>
    /// <param name="blockCount">Blocks of 32 columns.</param>
    /// <param name="panel">Receives the codes.</param>
    /// <param name="firstBlock">The panel's block that is the strip's first.</param>
    /// <param name="tile">The panel's tile.</param>
    public static void PutBytes(
        DataType type, byte* rows, long rowBytes, int blockCount, WeightPanel panel, int firstBlock, int tile)
    {
        rows += type switch { DataType.GgufQ40 => 2, DataType.GgufQ41 => 4, _ => 16 };
        int blockBytes = type.BlockBytes();
        if (type == DataType.GgufQ4K)
        {
            // 32 bytes have the codes of one block of 32 low and those of the next one high.
            for (int block = 0; block < blockCount; block += 2, rows += 32)
            {
                byte* low = panel.TileCodes(firstBlock + block, tile);
                byte* high = panel.TileCodes(firstBlock + block + 1, tile);
                PutNibbles(rows, rowBytes, low, high);
                PutNibbles(rows + 16, rowBytes, low + (4 * WeightPanel.ChunkBytes), high + (4 * WeightPanel.ChunkBytes));
            }
        }
        else
        {
            for (int block = 0; block < blockCount; block++, rows += blockBytes)
            {
                byte* codes = panel.TileCodes(firstBlock + block, tile);
                PutNibbles(rows, rowBytes, codes, codes + (4 * WeightPanel.ChunkBytes));
            }
        }
    }

    // The halves of 16 bytes of every row, four columns a lane.
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void PutNibbles(byte* rows, long rowBytes, byte* low, byte* high)
    {
        long stride = StripLayout.GroupCount * rowBytes;
        for (int lane = 0; lane < StripLayout.RowCount; lane += TIntegers.Lanes)
        {
            byte* source = rows + (lane * rowBytes);
            byte* lowTarget = low + (lane * sizeof(int));
            byte* highTarget = high + (lane * sizeof(int));
            TInteger a = TIntegers.LoadRows(source, stride);
            TInteger b = TIntegers.LoadRows(source + rowBytes, stride);
            TInteger c = TIntegers.LoadRows(source + (2 * rowBytes), stride);
            TInteger d = TIntegers.LoadRows(source + (3 * rowBytes), stride);
            TIntegers.Transpose(ref a, ref b, ref c, ref d);
            PutNibbles(a, lowTarget, highTarget, 0);
            PutNibbles(b, lowTarget, highTarget, 1);
            PutNibbles(c, lowTarget, highTarget, 2);
            PutNibbles(d, lowTarget, highTarget, 3);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void PutNibbles(TInteger bytes, byte* low, byte* high, int chunk)
    {
        TIntegers.Store(low + (chunk * WeightPanel.ChunkBytes), TIntegers.LowNibbles(bytes));
        TIntegers.Store(high + (chunk * WeightPanel.ChunkBytes), TIntegers.HighNibbles(bytes));
    }
}
