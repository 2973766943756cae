using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary>One of GGUF's block formats, as the kernels for strips read it; a type, so that each is compiled for itself.</summary>
internal unsafe interface IStripFormat
{
    static abstract DataType Type { get; }

    /// <summary>Whether codes are unsigned and a block has an offset to subtract; else codes are signed.</summary>
    static abstract bool HasOffsets { get; }

    /// <summary>Reads the codes of two neighbouring blocks of 32 columns as 16-bit numbers.</summary>
    /// <param name="rows">The strip's beginning in the first of the rows a vector holds.</param>
    /// <param name="stride">Bytes from one of the rows to the next.</param>
    /// <param name="block">The first of the two; even in formats with blocks of 256.</param>
    /// <param name="first">Receives the first block's.</param>
    /// <param name="second">Receives the second block's.</param>
    static abstract void Read<TIntegers, TInteger, TVector>(
        byte* rows, long stride, int block, out StripBlock<TInteger> first, out StripBlock<TInteger> second)
        where TIntegers : struct, IStripSimd<TInteger, TVector>
        where TInteger : struct
        where TVector : struct;

    /// <summary>Multiplies two neighbouring blocks of as many rows as there are lanes with one row of activations.</summary>
    /// <param name="rows">The strip's beginning in the first of the rows.</param>
    /// <param name="rowBytes">Bytes from one row to the next.</param>
    /// <param name="scales">Four bytes for each two blocks and each row, [4, 16] from the first of the rows on, if the format has such.</param>
    /// <param name="block">The first of the two; even in formats with blocks of 256.</param>
    /// <param name="input">The activations' codes at the first block, <see cref="QuantizedForm.EvenOddShorts"/>.</param>
    /// <param name="first">Receives the sums of the first block's products, a row a lane.</param>
    /// <param name="second">Receives those of the second block.</param>
    static abstract void Multiply<TIntegers, TInteger, TVector>(
        byte* rows, long rowBytes, byte* scales, int block, byte* input, out TInteger first, out TInteger second)
        where TIntegers : struct, IStripSimd<TInteger, TVector>
        where TInteger : struct
        where TVector : struct;
}
