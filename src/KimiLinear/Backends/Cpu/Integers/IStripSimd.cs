using System.Diagnostics.CodeAnalysis;

namespace KimiLinear.Backends;

/// <summary>The integer operations for weights that are stored row by row.</summary>
/// <remarks>
/// A vector has one 128-bit segment of each of as many rows as fit. <see cref="SumSegments"/> and <see cref="Transpose"/> bring
/// rows to lanes, where <see cref="IIntegerSimd{TInteger,TVector}"/> has them.
/// </remarks>
internal unsafe interface IStripSimd<TInteger, TVector> : IIntegerSimd<TInteger, TVector>
    where TInteger : struct
    where TVector : struct
{
    /// <summary>Reads 16 bytes from each of as many rows as a vector holds.</summary>
    /// <param name="source">In the first of the rows.</param>
    /// <param name="stride">Bytes from one of the rows to the next.</param>
    static abstract TInteger LoadRows(byte* source, long stride);

    /// <summary>Reads one segment and gives it to every row.</summary>
    static abstract TInteger LoadSegment(byte* source);

    /// <summary>The same bits in every lane.</summary>
    static abstract TInteger Fill(int bits);

    static abstract TInteger And(TInteger a, TInteger b);

    static abstract TInteger Or(TInteger a, TInteger b);

    static abstract TInteger ShiftLeft(TInteger value, int count);

    /// <summary>Shifts each lane; zeros come in.</summary>
    static abstract TInteger ShiftRight(TInteger value, int count);

    /// <summary>Shifts each lane; copies of the sign come in.</summary>
    static abstract TInteger ShiftRightSigned(TInteger value, [ConstantExpected] int count);

    /// <summary>Shifts each 16-bit number; zeros come in.</summary>
    static abstract TInteger ShiftRightShorts(TInteger value, [ConstantExpected] int count);

    /// <summary>The lower halves of the products of lanes.</summary>
    static abstract TInteger Multiply(TInteger a, TInteger b);

    static abstract TInteger SubtractBytes(TInteger a, TInteger b);

    /// <summary>The lower halves of the products of 16-bit numbers.</summary>
    static abstract TInteger MultiplyShorts(TInteger a, TInteger b);

    /// <summary>Rearranges the bytes of each segment by the indices of <paramref name="order"/>; 128 for a zero.</summary>
    static abstract TInteger ShuffleBytes(TInteger bytes, TInteger order);

    /// <summary>Lane 4q + i becomes the sum of the lanes of segment q in the i-th of four vectors.</summary>
    static abstract TInteger SumSegments(TInteger a, TInteger b, TInteger c, TInteger d);

    /// <summary>Exchanges lane 4q + i of vector j with lane 4q + j of vector i.</summary>
    static abstract void Transpose(ref TInteger a, ref TInteger b, ref TInteger c, ref TInteger d);

    /// <summary>The half-precision numbers in the lower halves of the lanes.</summary>
    static abstract TVector FromFloat16(TInteger bits);
}
