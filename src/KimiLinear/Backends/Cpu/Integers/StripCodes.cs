using System.Runtime.CompilerServices;

namespace KimiLinear.Backends;

/// <summary>Widens the codes of a strip of GGUF blocks to 16 bits, in the order of <see cref="StripLayout"/>.</summary>
internal static unsafe class StripCodes<TVector, TIntegers, TInteger>
    where TVector : struct
    where TIntegers : struct, IStripSimd<TInteger, TVector>
    where TInteger : struct
{
    /// <summary>Widens the codes.</summary>
    /// <param name="rows">The strip's beginning in the first of 16 rows.</param>
    /// <param name="rowBytes">Bytes from a row to the next.</param>
    /// <param name="blockCount">Blocks of 32 columns, 8 at most; with only one, there is another one before it.</param>
    /// <param name="codes">Receives them; 64-byte chunks.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Widen<TFormat>(byte* rows, long rowBytes, int blockCount, byte* codes)
        where TFormat : struct, IStripFormat
    {
        long stride = StripLayout.GroupCount * rowBytes;
        for (int lane = 0; lane < StripLayout.RowCount; lane += TIntegers.Lanes)
        {
            for (int row = lane; row < lane + StripLayout.GroupCount; row++)
            {
                byte* source = rows + (row * rowBytes);
                byte* destination = codes + StripLayout.RowOffset(row);
                for (int block = 0; block < blockCount; block += 2)
                {
                    int first = Math.Min(block, blockCount - 2);
                    TFormat.Read<TIntegers, TInteger, TVector>(
                        source, stride, first, out StripBlock<TInteger> a, out StripBlock<TInteger> b);
                    if (first == block)
                    {
                        Store(destination + (block * StripLayout.BlockBytes), a);
                    }

                    Store(destination + ((first + 1) * StripLayout.BlockBytes), b);
                }
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(byte* destination, StripBlock<TInteger> block)
    {
        TIntegers.Store(destination, block.Even);
        TIntegers.Store(destination + StripLayout.ChunkBytes, block.Odd);
        TIntegers.Store(destination + (2 * StripLayout.ChunkBytes), block.UpperEven);
        TIntegers.Store(destination + (3 * StripLayout.ChunkBytes), block.UpperOdd);
    }
}
