namespace KimiLinear.Backends;

/// <summary>The integer operations the kernels for quantised weights are written in; a lane of 32 bits is one weight row.</summary>
/// <remarks>
/// Implemented by structs only: the JIT compiles a kernel anew for each and inlines every member. Sums are exact in all of them,
/// so that results do not depend on which one a machine has.
/// </remarks>
internal unsafe interface IIntegerSimd<TInteger, TVector>
    where TInteger : struct
    where TVector : struct
{
    /// <summary>Rows per vector.</summary>
    static abstract int Lanes { get; }

    static abstract TInteger Zero { get; }

    /// <summary>Reads four bytes per lane.</summary>
    static abstract TInteger Load(byte* source);

    static abstract void Store(byte* destination, TInteger value);

    /// <summary>Reads four bytes and gives them to every lane.</summary>
    static abstract TInteger Broadcast(byte* source);

    /// <summary>The lower half of each byte.</summary>
    static abstract TInteger LowNibbles(TInteger bytes);

    /// <summary>The upper half of each byte.</summary>
    static abstract TInteger HighNibbles(TInteger bytes);

    /// <summary>Bytes 0 and 2 of each lane as signed 16-bit numbers.</summary>
    static abstract TInteger EvenBytes(TInteger bytes);

    /// <summary>Bytes 1 and 3 of each lane as signed 16-bit numbers.</summary>
    static abstract TInteger OddBytes(TInteger bytes);

    /// <summary>
    /// Adds the products of four codes from 0 to 15 with four signed bytes to a running sum, of which only
    /// <c>TotalOfBytes</c> knows the form; it holds one block of 32 values.
    /// </summary>
    static abstract TInteger AddBytes(TInteger sums, TInteger codes, TInteger signedBytes);

    /// <summary>The products that <c>AddBytes</c> would add, as a running sum of their own.</summary>
    static abstract TInteger ProductsOfBytes(TInteger codes, TInteger signedBytes);

    /// <summary>Adds two running sums of bytes.</summary>
    static abstract TInteger AddSumsOfBytes(TInteger a, TInteger b);

    /// <summary>The sums as 32-bit numbers.</summary>
    static abstract TInteger TotalOfBytes(TInteger sums);

    /// <summary>The sums times a factor from 0 to 255 per lane, given as <see cref="LoadBytesAsPairs"/> does.</summary>
    static abstract TInteger TotalOfBytes(TInteger sums, TInteger factors);

    /// <summary>Adds the products of two signed 16-bit numbers to each lane.</summary>
    static abstract TInteger AddShorts(TInteger sums, TInteger a, TInteger b);

    /// <summary>The products that <c>AddShorts</c> would add.</summary>
    static abstract TInteger ProductsOfShorts(TInteger a, TInteger b);

    static abstract TInteger Add(TInteger a, TInteger b);

    /// <summary>256 · high + low.</summary>
    static abstract TInteger Combine(TInteger high, TInteger low);

    static abstract TVector ToFloat(TInteger value);

    /// <summary>Reads one unsigned byte per lane, twice into its lane as 16-bit numbers.</summary>
    static abstract TInteger LoadBytesAsPairs(byte* source);

    /// <summary>Reads one unsigned byte per lane as a 32-bit number.</summary>
    static abstract TInteger LoadBytesAsIntegers(byte* source);
}
