namespace KimiLinear.Backends;

/// <summary>The integer operations the kernels for quantised weights are written in; a lane of 32 bits is one weight row.</summary>
/// <remarks>
/// Implemented by structs only: the JIT compiles a kernel anew for each and inlines every member. Sums are exact in all of them,
/// so that results do not depend on which one a machine has. Weights that are stored row by row come in segments: 16 consecutive
/// bytes of each of as many rows as fit a vector. <see cref="SumSegments"/> and <see cref="Transpose"/> bring them to one row a
/// lane and have no meaning where there is only one lane.
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

    /// <summary>Asks for the cache line of an address that is needed soon; any address will do.</summary>
    static abstract void Prefetch(byte* address);

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

    /// <summary>Four times <c>AddBytes</c> with the same codes, in the order in which a machine does that fastest.</summary>
    static abstract void AddBytes(
        ref TInteger s0, ref TInteger s1, ref TInteger s2, ref TInteger s3,
        TInteger codes, TInteger x0, TInteger x1, TInteger x2, TInteger x3);

    /// <summary>The sums as 32-bit numbers.</summary>
    static abstract TInteger TotalOfBytes(TInteger sums);

    /// <summary>The sums times a factor from 0 to 255 per lane, given as <see cref="LoadBytesAsPairs"/> does.</summary>
    static abstract TInteger TotalOfBytes(TInteger sums, TInteger factors);

    /// <summary>Adds the products of two signed 16-bit numbers to each lane.</summary>
    static abstract TInteger AddShorts(TInteger sums, TInteger a, TInteger b);

    /// <summary>Four times <c>AddShorts</c> with the same codes, in the order in which a machine does that fastest.</summary>
    static abstract void AddShorts(
        ref TInteger s0, ref TInteger s1, ref TInteger s2, ref TInteger s3,
        TInteger codes, TInteger x0, TInteger x1, TInteger x2, TInteger x3);

    static abstract TInteger Add(TInteger a, TInteger b);

    /// <summary>256 · high + low.</summary>
    static abstract TInteger Combine(TInteger high, TInteger low);

    static abstract TVector ToFloat(TInteger value);

    /// <summary>Reads one unsigned byte per lane, twice into its lane as 16-bit numbers.</summary>
    static abstract TInteger LoadBytesAsPairs(byte* source);

    /// <summary>Reads one unsigned byte per lane as a float.</summary>
    static abstract TVector LoadBytesAsFloat(byte* source);

    /// <summary>Bytes of one weight row in a vector of several rows: 16, or 4 where a vector is not even that long.</summary>
    static abstract int SegmentBytes { get; }

    /// <summary>Reads a segment from each of as many rows as a vector holds.</summary>
    /// <param name="source">In the first of the rows.</param>
    /// <param name="stride">Bytes from one of the rows to the next.</param>
    static abstract TInteger LoadRows(byte* source, long stride);

    /// <summary>Reads one 16-bit number from each of as many rows as a vector holds and fills the row's segment with it.</summary>
    static abstract TInteger LoadRowShorts(byte* source, long stride);

    /// <summary>Reads one segment and gives it to every row.</summary>
    static abstract TInteger LoadSegment(byte* source);

    /// <summary>The same bits in every lane.</summary>
    static abstract TInteger Fill(int bits);

    static abstract TInteger Mask(TInteger value, int bits);

    static abstract TInteger Or(TInteger a, TInteger b);

    /// <summary>Shifts each lane; zeros come in.</summary>
    static abstract TInteger ShiftRight(TInteger value, int count);

    static abstract TInteger SubtractShorts(TInteger a, TInteger b);

    /// <summary>The lower halves of the products of 16-bit numbers.</summary>
    static abstract TInteger MultiplyShorts(TInteger a, TInteger b);

    /// <summary>Lane 4q + i becomes the sum of the lanes of segment q in the i-th of four vectors.</summary>
    static abstract TInteger SumSegments(TInteger a, TInteger b, TInteger c, TInteger d);

    /// <summary>Exchanges lane 4q + i of vector j with lane 4q + j of vector i.</summary>
    static abstract void Transpose(ref TInteger a, ref TInteger b, ref TInteger c, ref TInteger d);
}
