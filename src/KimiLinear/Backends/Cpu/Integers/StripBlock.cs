namespace KimiLinear.Backends;

/// <summary>The codes of a block of 32 columns as 16-bit numbers, of each 16 columns the even ones and the odd ones.</summary>
internal readonly struct StripBlock<TInteger>(TInteger even, TInteger odd, TInteger upperEven, TInteger upperOdd)
    where TInteger : struct
{
    public readonly TInteger Even = even;

    public readonly TInteger Odd = odd;

    public readonly TInteger UpperEven = upperEven;

    public readonly TInteger UpperOdd = upperOdd;
}
