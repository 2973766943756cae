using System.Runtime.CompilerServices;
using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary>Reads the scales and offsets of sixteen rows of GGUF blocks: value = scale · code − offset.</summary>
internal static unsafe class StripScales<TSimd, TVector, TIntegers, TInteger>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
    where TIntegers : struct, IStripSimd<TInteger, TVector>
    where TInteger : struct
{
    /// <summary>Reads them; a block's 16 rows are neighbours.</summary>
    /// <param name="rows">The strip's beginning in the first of 16 rows.</param>
    /// <param name="rowBytes">Bytes from a row to the next.</param>
    /// <param name="blockCount">Blocks of 32 columns, 8 at most; types with blocks of 256 always have 8.</param>
    /// <param name="scales">Receives the scales.</param>
    /// <param name="offsets">Receives the offsets, if the type has any.</param>
    /// <param name="stride">Values from a block's scales to the next one's.</param>
    public static void Read<TFormat>(
        byte* rows, long rowBytes, int blockCount, float* scales, float* offsets, int stride)
        where TFormat : struct, IStripFormat
    {
        switch (TFormat.Type)
        {
            case DataType.GgufQ4K or DataType.GgufQ5K:
                ReadFourAndFiveBits(rows, rowBytes, scales, offsets, stride);
                break;
            case DataType.GgufQ6K:
                ReadSixBits(rows, rowBytes, scales, offsets, stride);
                break;
            default:
                ReadBlocks<TFormat>(rows, rowBytes, blockCount, scales, offsets, stride);
                break;
        }
    }

    // Blocks begin with a half-precision scale, and another number if they have an offset of their own.
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void ReadBlocks<TFormat>(
        byte* rows, long rowBytes, int blockCount, float* scales, float* offsets, int stride)
        where TFormat : struct, IStripFormat
    {
        int blockBytes = TFormat.Type.BlockBytes();
        bool hasOwnOffset = TFormat.Type is DataType.GgufQ41 or DataType.GgufQ51;

        // The code that means zero, where there is one.
        TVector center = TSimd.Broadcast(TFormat.Type == DataType.GgufQ40 ? 8 : 16);
        for (int lane = 0; lane < StripLayout.RowCount; lane += TSimd.Width)
        {
            byte* source = rows + (lane * rowBytes);
            for (int block = 0; block < blockCount; block++, source += blockBytes)
            {
                LoadLanes(source, rowBytes, out TInteger numbers, out _, out _, out _);
                TVector scale = TIntegers.FromFloat16(numbers);
                int place = (block * stride) + lane;
                TSimd.Store(scales + place, scale);
                if (hasOwnOffset)
                {
                    TVector offset = TIntegers.FromFloat16(TIntegers.ShiftRight(numbers, 16));
                    TSimd.Store(offsets + place, TSimd.Subtract(TSimd.Zero, offset));
                }
                else if (TFormat.HasOffsets)
                {
                    TSimd.Store(offsets + place, TSimd.Multiply(scale, center));
                }
            }
        }
    }

    // A half-precision scale and offset, and twelve bytes with eight 6-bit scales and offsets: those of the first four parts
    // whole in bytes 0 to 3 and 4 to 7, the low bits of the others in bytes 8 to 11 and their high bits on top of the former.
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void ReadFourAndFiveBits(byte* rows, long rowBytes, float* scales, float* offsets, int stride)
    {
        TInteger sixBits = TIntegers.Fill(63);
        TInteger fourBits = TIntegers.Fill(15);
        TInteger highBits = TIntegers.Fill(48);
        for (int lane = 0; lane < StripLayout.RowCount; lane += TSimd.Width)
        {
            LoadLanes(
                rows + (lane * rowBytes), rowBytes,
                out TInteger numbers, out TInteger first, out TInteger second, out TInteger third);
            TVector scale = TIntegers.FromFloat16(numbers);
            TVector offset = TIntegers.FromFloat16(TIntegers.ShiftRight(numbers, 16));
            float* target = scales + lane;
            float* offsetTarget = offsets + lane;
            for (int block = 0; block < 4; block++)
            {
                Put(scale, TIntegers.And(first, sixBits), target);
                Put(offset, TIntegers.And(second, sixBits), offsetTarget);
                Put(
                    scale,
                    TIntegers.Or(TIntegers.And(third, fourBits), TIntegers.And(TIntegers.ShiftRight(first, 2), highBits)),
                    target + (4 * stride));
                Put(
                    offset,
                    TIntegers.Or(
                        TIntegers.And(TIntegers.ShiftRight(third, 4), fourBits),
                        TIntegers.And(TIntegers.ShiftRight(second, 2), highBits)),
                    offsetTarget + (4 * stride));
                first = TIntegers.ShiftRight(first, 8);
                second = TIntegers.ShiftRight(second, 8);
                third = TIntegers.ShiftRight(third, 8);
                target += stride;
                offsetTarget += stride;
            }
        }
    }

    // One half-precision scale at the end of 210 bytes. The signed bytes before it, one for 16 columns, are for whoever does not
    // multiply them into the codes: four of each row for each two blocks, where other types have their offsets.
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void ReadSixBits(byte* rows, long rowBytes, float* scales, float* offsets, int stride)
    {
        const int PartScales = 192;
        const int LastSegment = 194;
        for (int lane = 0; lane < StripLayout.RowCount; lane += TSimd.Width)
        {
            byte* source = rows + (lane * rowBytes);
            LoadLanes(source + LastSegment, rowBytes, out _, out _, out _, out TInteger numbers);
            TVector scale = TIntegers.FromFloat16(TIntegers.ShiftRight(numbers, 16));
            for (int block = 0; block < StripLayout.MaxBlocks; block++)
            {
                TSimd.Store(scales + (block * stride) + lane, scale);
            }

            LoadLanes(source + PartScales, rowBytes, out TInteger a, out TInteger b, out TInteger c, out TInteger d);
            TIntegers.Store((byte*)(offsets + lane), a);
            TIntegers.Store((byte*)(offsets + stride + lane), b);
            TIntegers.Store((byte*)(offsets + (2 * stride) + lane), c);
            TIntegers.Store((byte*)(offsets + (3 * stride) + lane), d);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put(TVector factor, TInteger value, float* target) =>
        TSimd.Store(target, TSimd.Multiply(factor, TIntegers.ToFloat(value)));

    // 16 bytes of as many rows as there are lanes, four bytes of each row a lane.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void LoadLanes(
        byte* source, long rowBytes, out TInteger a, out TInteger b, out TInteger c, out TInteger d)
    {
        long stride = StripLayout.GroupCount * rowBytes;
        a = TIntegers.LoadRows(source, stride);
        b = TIntegers.LoadRows(source + rowBytes, stride);
        c = TIntegers.LoadRows(source + (2 * rowBytes), stride);
        d = TIntegers.LoadRows(source + (3 * rowBytes), stride);
        TIntegers.Transpose(ref a, ref b, ref c, ref d);
    }
}
