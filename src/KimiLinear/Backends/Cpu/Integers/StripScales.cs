using System.Runtime.CompilerServices;
using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary>Reads the scales and offsets of sixteen rows of GGUF blocks: value = scale · code − offset.</summary>
internal static unsafe class StripScales<TSimd, TVector, TIntegers, TInteger>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
    where TIntegers : struct, IIntegerSimd<TInteger, TVector>
    where TInteger : struct
{
    private const int RowCount = StripLayout.RowCount;

    /// <summary>Reads them; a block's 16 rows are neighbours.</summary>
    /// <param name="type">One of the GGUF types.</param>
    /// <param name="rows">The first block in the first of 16 rows.</param>
    /// <param name="rowBytes">Bytes from a row to the next.</param>
    /// <param name="blockCount">Blocks of 32 columns, 8 at most; types with blocks of 256 always have 8.</param>
    /// <param name="scales">Receives the scales.</param>
    /// <param name="offsets">Receives the offsets; untouched when the type has none.</param>
    /// <param name="stride">Values from a block's scales to the next one's.</param>
    public static void Read(
        DataType type, byte* rows, long rowBytes, int blockCount, float* scales, float* offsets, int stride)
    {
        switch (type)
        {
            case DataType.GgufQ4K or DataType.GgufQ5K:
                ReadFourAndFiveBits(rows, rowBytes, scales, offsets, stride);
                break;
            case DataType.GgufQ6K:
                ReadSixBits(rows, rowBytes, scales, stride);
                break;
            default:
                ReadBlocks(type, rows, rowBytes, blockCount, scales, offsets, stride);
                break;
        }
    }

    // Blocks begin with a half-precision scale, and another number if they have an offset of their own.
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void ReadBlocks(
        DataType type, byte* rows, long rowBytes, int blockCount, float* scales, float* offsets, int stride)
    {
        ushort* halves = stackalloc ushort[2 * StripLayout.MaxBlocks * RowCount];
        int blockBytes = type.BlockBytes();
        bool hasOwnOffset = type is DataType.GgufQ41 or DataType.GgufQ51;
        for (int row = 0; row < RowCount; row++)
        {
            byte* source = rows + (row * rowBytes);
            for (int place = row; place < blockCount * RowCount; place += RowCount, source += blockBytes)
            {
                halves[place] = *(ushort*)source;
                if (hasOwnOffset)
                {
                    halves[(StripLayout.MaxBlocks * RowCount) + place] = *(ushort*)(source + 2);
                }
            }
        }

        // The code that means zero, where there is one.
        TVector center = TSimd.Broadcast(type == DataType.GgufQ40 ? 8 : 16);
        for (int block = 0; block < blockCount; block++)
        {
            for (int lane = 0; lane < RowCount; lane += TSimd.Width)
            {
                ushort* half = halves + (block * RowCount) + lane;
                TVector scale = TSimd.LoadFloat16(half);
                TSimd.Store(scales + (block * stride) + lane, scale);
                if (hasOwnOffset)
                {
                    TVector offset = TSimd.LoadFloat16(half + (StripLayout.MaxBlocks * RowCount));
                    TSimd.Store(offsets + (block * stride) + lane, TSimd.Subtract(TSimd.Zero, offset));
                }
                else if (type != DataType.GgufQ80)
                {
                    TSimd.Store(offsets + (block * stride) + lane, TSimd.Multiply(scale, center));
                }
            }
        }
    }

    // A half-precision scale and offset, and twelve bytes with eight 6-bit scales and offsets: those of the first four parts
    // whole in bytes 0 to 3 and 4 to 7, the low bits of the others in bytes 8 to 11 and their high bits on top of the former.
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void ReadFourAndFiveBits(byte* rows, long rowBytes, float* scales, float* offsets, int stride)
    {
        int* packed = stackalloc int[3 * RowCount];
        ushort* halves = stackalloc ushort[2 * RowCount];
        for (int row = 0; row < RowCount; row++)
        {
            byte* source = rows + (row * rowBytes);
            halves[row] = *(ushort*)source;
            halves[RowCount + row] = *(ushort*)(source + 2);
            packed[row] = *(int*)(source + 4);
            packed[RowCount + row] = *(int*)(source + 8);
            packed[(2 * RowCount) + row] = *(int*)(source + 12);
        }

        for (int lane = 0; lane < RowCount; lane += TSimd.Width)
        {
            TVector scale = TSimd.LoadFloat16(halves + lane);
            TVector offset = TSimd.LoadFloat16(halves + RowCount + lane);
            TInteger first = TIntegers.Load((byte*)(packed + lane));
            TInteger second = TIntegers.Load((byte*)(packed + RowCount + lane));
            TInteger third = TIntegers.Load((byte*)(packed + (2 * RowCount) + lane));
            for (int block = 0; block < 4; block++)
            {
                int shift = 8 * block;
                TInteger partScale = TIntegers.Mask(TIntegers.ShiftRight(first, shift), 63);
                TInteger partOffset = TIntegers.Mask(TIntegers.ShiftRight(second, shift), 63);
                float* target = scales + (block * stride) + lane;
                float* offsetTarget = offsets + (block * stride) + lane;
                TSimd.Store(target, TSimd.Multiply(scale, TIntegers.ToFloat(partScale)));
                TSimd.Store(offsetTarget, TSimd.Multiply(offset, TIntegers.ToFloat(partOffset)));
                partScale = TIntegers.Or(
                    TIntegers.Mask(TIntegers.ShiftRight(third, shift), 15),
                    TIntegers.Mask(TIntegers.ShiftRight(first, shift + 2), 48));
                partOffset = TIntegers.Or(
                    TIntegers.Mask(TIntegers.ShiftRight(third, shift + 4), 15),
                    TIntegers.Mask(TIntegers.ShiftRight(second, shift + 2), 48));
                TSimd.Store(target + (4 * stride), TSimd.Multiply(scale, TIntegers.ToFloat(partScale)));
                TSimd.Store(offsetTarget + (4 * stride), TSimd.Multiply(offset, TIntegers.ToFloat(partOffset)));
            }
        }
    }

    // One half-precision scale at the end; the others are multiplied into the codes.
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void ReadSixBits(byte* rows, long rowBytes, float* scales, int stride)
    {
        ushort* halves = stackalloc ushort[RowCount];
        for (int row = 0; row < RowCount; row++)
        {
            halves[row] = *(ushort*)(rows + (row * rowBytes) + 208);
        }

        for (int lane = 0; lane < RowCount; lane += TSimd.Width)
        {
            TVector scale = TSimd.LoadFloat16(halves + lane);
            for (int block = 0; block < StripLayout.MaxBlocks; block++)
            {
                TSimd.Store(scales + (block * stride) + lane, scale);
            }
        }
    }
}
