using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace KimiLinear.Backends;

/// <summary>What the formats of strips have in common.</summary>
internal static unsafe class StripBits
{
    /// <summary>A block of 16 bytes: columns 0 to 15 low, 16 to 31 high.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static StripBlock<TInteger> Nibbles<TIntegers, TInteger, TVector>(byte* codes, long stride)
        where TIntegers : struct, IStripSimd<TInteger, TVector>
        where TInteger : struct
        where TVector : struct
    {
        TInteger bytes = TIntegers.LoadRows(codes, stride);
        return LowNibbles<TIntegers, TInteger, TVector>(bytes, TIntegers.ShiftRight(bytes, 4));
    }

    /// <summary>As <see cref="Nibbles"/>, with one fifth bit a column in the four bytes before.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static StripBlock<TInteger> FiveBits<TIntegers, TInteger, TVector>(byte* codes, long stride)
        where TIntegers : struct, IStripSimd<TInteger, TVector>
        where TInteger : struct
        where TVector : struct
    {
        // The bytes from four before the block's codes on begin with the fifth bits: 16 of them to every 16-bit number, times a
        // power of two that brings bit 2i to bit 14 and bit 2i + 1 to bit 15 in number i.
        TInteger bits = TIntegers.LoadRows(codes - 4, stride);
        TInteger powers = TIntegers.LoadSegment(Address([1 << 14, 1 << 12, 1 << 10, 1 << 8, 1 << 6, 1 << 4, 1 << 2, 1]));
        TInteger lower = TIntegers.MultiplyShorts(TIntegers.ShuffleBytes(bits, TIntegers.Fill(0x01000100)), powers);
        TInteger upper = TIntegers.MultiplyShorts(TIntegers.ShuffleBytes(bits, TIntegers.Fill(0x03020302)), powers);
        TInteger fifth = TIntegers.Fill(0x00100010);
        StripBlock<TInteger> low = Nibbles<TIntegers, TInteger, TVector>(codes, stride);
        return new StripBlock<TInteger>(
            TIntegers.Or(low.Even, TIntegers.And(TIntegers.ShiftRight(lower, 10), fifth)),
            TIntegers.Or(low.Odd, TIntegers.And(TIntegers.ShiftRight(lower, 11), fifth)),
            TIntegers.Or(low.UpperEven, TIntegers.And(TIntegers.ShiftRight(upper, 10), fifth)),
            TIntegers.Or(low.UpperOdd, TIntegers.And(TIntegers.ShiftRight(upper, 11), fifth)));
    }

    /// <summary>A block of 32 signed bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static StripBlock<TInteger> SignedBytes<TIntegers, TInteger, TVector>(byte* codes, long stride)
        where TIntegers : struct, IStripSimd<TInteger, TVector>
        where TInteger : struct
        where TVector : struct
    {
        TInteger lower = TIntegers.LoadRows(codes, stride);
        TInteger upper = TIntegers.LoadRows(codes + 16, stride);
        return new StripBlock<TInteger>(
            TIntegers.EvenBytes(lower), TIntegers.OddBytes(lower), TIntegers.EvenBytes(upper), TIntegers.OddBytes(upper));
    }

    /// <summary>The lower halves of the bytes of a block's two parts.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static StripBlock<TInteger> LowNibbles<TIntegers, TInteger, TVector>(TInteger lower, TInteger upper)
        where TIntegers : struct, IStripSimd<TInteger, TVector>
        where TInteger : struct
        where TVector : struct
    {
        TInteger nibbles = TIntegers.Fill(0x000F000F);
        return new StripBlock<TInteger>(
            TIntegers.And(lower, nibbles),
            TIntegers.And(TIntegers.ShiftRight(lower, 8), nibbles),
            TIntegers.And(upper, nibbles),
            TIntegers.And(TIntegers.ShiftRight(upper, 8), nibbles));
    }

    /// <summary>One signed byte of each segment in all its 16-bit numbers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TInteger SpreadByte<TIntegers, TInteger, TVector>(TInteger bytes, int index)
        where TIntegers : struct, IStripSimd<TInteger, TVector>
        where TInteger : struct
        where TVector : struct =>
        TIntegers.OddBytes(TIntegers.ShuffleBytes(bytes, TIntegers.Fill((index * 0x01000100) | 0x00800080)));

    private static byte* Address(ReadOnlySpan<ushort> constants) =>
        (byte*)Unsafe.AsPointer(ref MemoryMarshal.GetReference(constants));
}
