namespace KimiLinear.Backends;

/// <summary>How a row of activations is quantised, by what the kernel of a weight format wants to multiply with.</summary>
internal enum QuantizedForm
{
    /// <summary>Signed 8-bit numbers, one per column.</summary>
    Bytes,

    /// <summary>15-bit numbers in two planes of signed bytes, 256 · high + low.</summary>
    BytePairs,

    /// <summary>Signed 16-bit numbers, columns 0, 2, 1, 3 of every four, as <see cref="IIntegerSimd{TInteger,TVector}.EvenBytes"/>
    /// and <see cref="IIntegerSimd{TInteger,TVector}.OddBytes"/> give weights.</summary>
    TileShorts,

    /// <summary>Signed 16-bit numbers as in <see cref="TileShorts"/>, with one scale for the whole row.</summary>
    RowShorts,

    /// <summary>Signed 16-bit numbers, of every 16 columns the even ones first, as weights come out of bytes in row order.</summary>
    EvenOddShorts,
}
