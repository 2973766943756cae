namespace KimiLinear.Backends;

/// <summary>How codes lie in a <see cref="WeightPanel"/> and are multiplied; a type, so that each case is compiled for itself.</summary>
internal interface IPanelDot
{
    /// <summary>Chunks of 64 bytes per block of a tile.</summary>
    static abstract int ChunkCount { get; }

    /// <summary>Whether codes have 8 bits without a sign, rather than 16 with one.</summary>
    static abstract bool HasByteCodes { get; }

    /// <summary>
    /// Whether the scales of blocks are integers rather than floats. A block's offset is added to the product with such a scale, before
    /// that of the activations, which are <see cref="QuantizedForm.Bytes"/>.
    /// </summary>
    static abstract bool HasIntegerScales { get; }

    /// <summary>Whether blocks of weights have an offset.</summary>
    static abstract bool HasOffsets { get; }

    /// <summary>Whether rows of activations have a scale for every block, or only one.</summary>
    static abstract bool HasInputScales { get; }

    /// <summary>The products of a chunk with four bytes of activations, as sums.</summary>
    static abstract TInteger Multiply<TIntegers, TInteger, TVector>(TInteger codes, TInteger x)
        where TIntegers : struct, IIntegerSimd<TInteger, TVector>
        where TInteger : struct
        where TVector : struct;

    static abstract TInteger AddSums<TIntegers, TInteger, TVector>(TInteger a, TInteger b)
        where TIntegers : struct, IIntegerSimd<TInteger, TVector>
        where TInteger : struct
        where TVector : struct;

    /// <summary>Adds the products of a chunk, where a machine may do both at once.</summary>
    static abstract TInteger Add<TIntegers, TInteger, TVector>(TInteger sums, TInteger codes, TInteger x)
        where TIntegers : struct, IIntegerSimd<TInteger, TVector>
        where TInteger : struct
        where TVector : struct;

    static abstract TInteger Total<TIntegers, TInteger, TVector>(TInteger sums)
        where TIntegers : struct, IIntegerSimd<TInteger, TVector>
        where TInteger : struct
        where TVector : struct;
}
