using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary>Widens the codes of a strip of GGUF blocks to 16 bits, in the order of <see cref="StripLayout"/>.</summary>
internal static unsafe class StripCodes<TVector, TIntegers, TInteger>
    where TVector : struct
    where TIntegers : struct, IIntegerSimd<TInteger, TVector>
    where TInteger : struct
{
    private const int LowNibbles = 0x000F000F;
    private const int FifthBits = 0x00100010;

    /// <summary>Widens the codes.</summary>
    /// <param name="type">One of the GGUF types.</param>
    /// <param name="rows">The strip's first block in the first of 16 rows.</param>
    /// <param name="rowBytes">Bytes from a row to the next.</param>
    /// <param name="blockCount">Blocks of 32 columns, 8 at most; types with blocks of 256 always have 8.</param>
    /// <param name="codes">Receives them; 64-byte chunks.</param>
    public static void Widen(DataType type, byte* rows, long rowBytes, int blockCount, byte* codes)
    {
        int rowsPerVector = Math.Max(TIntegers.Lanes / StripLayout.GroupCount, 1);
        long stride = StripLayout.GroupCount * rowBytes;
        for (int row = 0; row < StripLayout.RowCount; row = NextRow(row, rowsPerVector))
        {
            byte* source = rows + (row * rowBytes);
            byte* destination = codes + StripLayout.RowOffset(row);
            for (int part = 0; part < StripLayout.SegmentBytes; part += TIntegers.SegmentBytes)
            {
                Widen(type, source, stride, part, blockCount, destination + part);
            }
        }
    }

    // A vector has every fourth row: the next one begins with the next row of the four, or past all those in this one.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int NextRow(int row, int rowsPerVector) => (row + 1) % StripLayout.GroupCount != 0
        ? row + 1
        : row + 1 + ((rowsPerVector - 1) * StripLayout.GroupCount);

    private static void Widen(DataType type, byte* source, long stride, int part, int blockCount, byte* destination)
    {
        switch (type)
        {
            case DataType.GgufQ40 or DataType.GgufQ41:
                WidenNibbles(source + StripLayout.CodesOffset(type) + part, stride, type.BlockBytes(), blockCount, destination);
                break;
            case DataType.GgufQ50 or DataType.GgufQ51:
                WidenFiveBits(source + StripLayout.CodesOffset(type), stride, part, type.BlockBytes(), blockCount, destination);
                break;
            case DataType.GgufQ80:
                WidenBytes(source + StripLayout.CodesOffset(type) + part, stride, blockCount, destination);
                break;
            case DataType.GgufQ4K:
                WidenQ4K(source + StripLayout.CodesOffset(type) + part, stride, destination);
                break;
            case DataType.GgufQ5K:
                WidenQ5K(source + StripLayout.CodesOffset(type) + part, stride, destination);
                break;
            default:
                WidenQ6K(source, stride, part, destination);
                break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void WidenNibbles(byte* codes, long stride, int blockBytes, int blockCount, byte* destination)
    {
        for (int block = 0; block < blockCount; block++)
        {
            SplitNibbles(
                TIntegers.LoadRows(codes, stride), out TInteger even, out TInteger odd, out TInteger even2, out TInteger odd2);
            Store(destination, even, odd);
            Store(destination + (2 * StripLayout.ChunkBytes), even2, odd2);
            codes += blockBytes;
            destination += StripLayout.BlockBytes;
        }
    }

    // The fifth bits of 32 values are the four bytes before the codes.
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void WidenFiveBits(byte* codes, long stride, int part, int blockBytes, int blockCount, byte* destination)
    {
        // The factors bring bit 2i of a row's 16 to bit 14 in column pair i, and bit 2i + 1 to bit 15.
        ReadOnlySpan<ushort> powers = [1 << 14, 1 << 12, 1 << 10, 1 << 8, 1 << 6, 1 << 4, 1 << 2, 1];
        TInteger spread = TIntegers.LoadSegment((byte*)Unsafe.AsPointer(ref MemoryMarshal.GetReference(powers)) + part);
        for (int block = 0; block < blockCount; block++)
        {
            SplitNibbles(
                TIntegers.LoadRows(codes + part, stride),
                out TInteger even, out TInteger odd, out TInteger even2, out TInteger odd2);
            TInteger bits = TIntegers.MultiplyShorts(TIntegers.LoadRowShorts(codes - 4, stride), spread);
            Store(
                destination,
                TIntegers.Or(even, TIntegers.Mask(TIntegers.ShiftRight(bits, 10), FifthBits)),
                TIntegers.Or(odd, TIntegers.Mask(TIntegers.ShiftRight(bits, 11), FifthBits)));
            bits = TIntegers.MultiplyShorts(TIntegers.LoadRowShorts(codes - 2, stride), spread);
            Store(
                destination + (2 * StripLayout.ChunkBytes),
                TIntegers.Or(even2, TIntegers.Mask(TIntegers.ShiftRight(bits, 10), FifthBits)),
                TIntegers.Or(odd2, TIntegers.Mask(TIntegers.ShiftRight(bits, 11), FifthBits)));
            codes += blockBytes;
            destination += StripLayout.BlockBytes;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void WidenBytes(byte* codes, long stride, int blockCount, byte* destination)
    {
        const int BlockBytes = 34;
        for (int block = 0; block < blockCount; block++)
        {
            TInteger bytes = TIntegers.LoadRows(codes, stride);
            Store(destination, TIntegers.EvenBytes(bytes), TIntegers.OddBytes(bytes));
            bytes = TIntegers.LoadRows(codes + 16, stride);
            Store(destination + (2 * StripLayout.ChunkBytes), TIntegers.EvenBytes(bytes), TIntegers.OddBytes(bytes));
            codes += BlockBytes;
            destination += StripLayout.BlockBytes;
        }
    }

    // 32 bytes have the codes of one block of 32 low and those of the next one high.
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void WidenQ4K(byte* codes, long stride, byte* destination)
    {
        for (int pair = 0; pair < StripLayout.MaxBlocks / 2; pair++)
        {
            for (int half = 0; half < 2; half++)
            {
                SplitNibbles(
                    TIntegers.LoadRows(codes, stride), out TInteger even, out TInteger odd, out TInteger even2, out TInteger odd2);
                byte* target = destination + (2 * half * StripLayout.ChunkBytes);
                Store(target, even, odd);
                Store(target + StripLayout.BlockBytes, even2, odd2);
                codes += 16;
            }

            destination += 2 * StripLayout.BlockBytes;
        }
    }

    // As with 4 bits; bit p of the 32 bytes before the codes is the fifth bit in block p.
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void WidenQ5K(byte* codes, long stride, byte* destination)
    {
        for (int half = 0; half < 2; half++)
        {
            TInteger bits = TIntegers.LoadRows(codes - 32 + (16 * half), stride);
            TInteger lowBits = TIntegers.MultiplyShorts(bits, TIntegers.Fill(0x00100010)); // to the left by 4
            byte* source = codes + (16 * half);
            byte* target = destination + (2 * half * StripLayout.ChunkBytes);
            for (int block = 0; block < StripLayout.MaxBlocks; block += 2)
            {
                SplitNibbles(
                    TIntegers.LoadRows(source, stride),
                    out TInteger even, out TInteger odd, out TInteger even2, out TInteger odd2);
                TInteger evenBits = TIntegers.ShiftRight(block < 4 ? lowBits : bits, block & 3);
                TInteger oddBits = TIntegers.ShiftRight(bits, block + 4);
                Store(
                    target,
                    TIntegers.Or(even, TIntegers.Mask(evenBits, FifthBits)),
                    TIntegers.Or(odd, TIntegers.Mask(oddBits, FifthBits)));
                Store(
                    target + StripLayout.BlockBytes,
                    TIntegers.Or(even2, TIntegers.Mask(TIntegers.ShiftRight(evenBits, 1), FifthBits)),
                    TIntegers.Or(odd2, TIntegers.Mask(TIntegers.ShiftRight(oddBits, 1), FifthBits)));
                source += 32;
                target += 2 * StripLayout.BlockBytes;
            }
        }
    }

    // Twice: 64 bytes with the low bits of blocks 0 and 2 in the first half and of 1 and 3 in the second; and 32 bytes, 128
    // after the beginning, with two more bits for each of these blocks. A signed scale for 16 values is multiplied into the codes.
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void WidenQ6K(byte* source, long stride, int part, byte* destination)
    {
        byte* low = source + part;
        byte* high = source + 128 + part;
        byte* scales = source + 192;
        for (int quad = 0; quad < 2; quad++)
        {
            for (int side = 0; side < 2; side++)
            {
                byte* from = low + (32 * side);
                byte* to = destination + (side * StripLayout.BlockBytes);
                TInteger firstScales = TIntegers.LoadRowShorts(scales + (2 * side), stride);
                TInteger secondScales = TIntegers.LoadRowShorts(scales + 4 + (2 * side), stride);
                WidenSixBits(
                    TIntegers.LoadRows(from, stride),
                    TIntegers.ShiftRight(TIntegers.LoadRows(high, stride), 2 * side),
                    TIntegers.EvenBytes(firstScales),
                    TIntegers.EvenBytes(secondScales),
                    to);
                WidenSixBits(
                    TIntegers.LoadRows(from + 16, stride),
                    TIntegers.ShiftRight(TIntegers.LoadRows(high + 16, stride), 2 * side),
                    TIntegers.OddBytes(firstScales),
                    TIntegers.OddBytes(secondScales),
                    to + (2 * StripLayout.ChunkBytes));
            }

            low += 64;
            high += 32;
            scales += 8;
            destination += 4 * StripLayout.BlockBytes;
        }
    }

    // 16 columns of a block and of the one after the next; bits 0 and 1 of a byte of high bits are the first's, 4 and 5 the second's.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void WidenSixBits(
        TInteger lowBits, TInteger highBits, TInteger firstScales, TInteger secondScales, byte* destination)
    {
        const int HighBits = 0x00300030;
        SplitNibbles(lowBits, out TInteger even, out TInteger odd, out TInteger even2, out TInteger odd2);
        TInteger center = TIntegers.Fill(0x00200020);
        even = TIntegers.Or(even, TIntegers.Mask(TIntegers.MultiplyShorts(highBits, TIntegers.Fill(0x00100010)), HighBits));
        odd = TIntegers.Or(odd, TIntegers.Mask(TIntegers.ShiftRight(highBits, 4), HighBits));
        even2 = TIntegers.Or(even2, TIntegers.Mask(highBits, HighBits));
        odd2 = TIntegers.Or(odd2, TIntegers.Mask(TIntegers.ShiftRight(highBits, 8), HighBits));
        Store(
            destination,
            TIntegers.MultiplyShorts(TIntegers.SubtractShorts(even, center), firstScales),
            TIntegers.MultiplyShorts(TIntegers.SubtractShorts(odd, center), firstScales));
        Store(
            destination + (2 * StripLayout.BlockBytes),
            TIntegers.MultiplyShorts(TIntegers.SubtractShorts(even2, center), secondScales),
            TIntegers.MultiplyShorts(TIntegers.SubtractShorts(odd2, center), secondScales));
    }

    // Of 16 bytes, the low and the high halves, each of even and of odd places.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void SplitNibbles(
        TInteger bytes, out TInteger even, out TInteger odd, out TInteger highEven, out TInteger highOdd)
    {
        even = TIntegers.Mask(bytes, LowNibbles);
        odd = TIntegers.Mask(TIntegers.ShiftRight(bytes, 8), LowNibbles);
        highEven = TIntegers.Mask(TIntegers.ShiftRight(bytes, 4), LowNibbles);
        highOdd = TIntegers.Mask(TIntegers.ShiftRight(bytes, 12), LowNibbles);
    }

    // 16 columns.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(byte* destination, TInteger even, TInteger odd)
    {
        TIntegers.Store(destination, even);
        TIntegers.Store(destination + StripLayout.ChunkBytes, odd);
    }
}
