namespace KimiLinear.Backends;

/// <summary>How codes lie in a <see cref="WeightPanel"/> and are multiplied; a type, so that each case is compiled for itself.</summary>
internal interface IPanelDot
{
    /// <summary>Chunks of 64 bytes per block of a tile.</summary>
    static abstract int ChunkCount { get; }

    /// <summary>Whether the scales of blocks are integers, stored as pairs, rather than floats.</summary>
    static abstract bool HasIntegerScales { get; }

    /// <summary>Whether blocks of weights have an offset.</summary>
    static abstract bool HasOffsets { get; }

    static abstract void Add<TIntegers, TInteger, TVector>(
        ref TInteger s0, ref TInteger s1, ref TInteger s2, ref TInteger s3,
        TInteger codes, TInteger x0, TInteger x1, TInteger x2, TInteger x3)
        where TIntegers : struct, IIntegerSimd<TInteger, TVector>
        where TInteger : struct
        where TVector : struct;

    static abstract void Add<TIntegers, TInteger, TVector>(
        ref TInteger s0, ref TInteger s1, TInteger codes, TInteger x0, TInteger x1)
        where TIntegers : struct, IIntegerSimd<TInteger, TVector>
        where TInteger : struct
        where TVector : struct;

    static abstract TInteger Total<TIntegers, TInteger, TVector>(TInteger sums)
        where TIntegers : struct, IIntegerSimd<TInteger, TVector>
        where TInteger : struct
        where TVector : struct;
}
