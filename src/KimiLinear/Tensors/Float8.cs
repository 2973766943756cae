namespace KimiLinear.Tensors;

/// <summary>Numbers of 8 bits: a sign, four bits of exponent and three of mantissa, without infinities.</summary>
/// <remarks>
/// With exponent bits e and mantissa bits m a value is ±(8 + m) · 2^(e − 10), or ±m · 2^−9 where e is 0. The codes with all bits
/// below the sign set are no number.
/// </remarks>
internal static class Float8
{
    /// <summary>The largest number: 1.75 · 2^8.</summary>
    public const float Largest = 448;

    /// <summary>The bits below the sign, which are all set in what is no number.</summary>
    public const int MagnitudeBits = 0x7F;

    /// <summary>2^120: the difference of the exponent biases of single precision and these numbers, as a factor.</summary>
    public const float ExponentRebias = 1.329227995784916e36f;

    private const int SignBit = 0x80;

    // Bits of mantissa that single precision has besides.
    private const int MantissaShift = 20;

    private const float SmallestNormal = 1f / 64;
    private const float SmallestStep = 1f / 512;

    /// <summary>The value of a code, exactly.</summary>
    public static float ToSingle(byte code)
    {
        // Without the bias this is a number of single precision, a subnormal one where the code is.
        float magnitude = BitConverter.UInt32BitsToSingle((uint)(code & MagnitudeBits) << MantissaShift) * ExponentRebias;
        magnitude = (code & MagnitudeBits) == MagnitudeBits ? float.NaN : magnitude;
        return (code & SignBit) == 0 ? magnitude : -magnitude;
    }

    /// <summary>The code of the nearest number, ties to the even code; what is too large becomes the largest.</summary>
    public static byte FromSingle(float value)
    {
        int sign = float.IsNegative(value) ? SignBit : 0;
        if (float.IsNaN(value))
        {
            return (byte)(sign | MagnitudeBits);
        }

        float magnitude = Math.Min(Math.Abs(value), Largest);
        if (magnitude < SmallestNormal)
        {
            // Eight steps are the smallest normal number, whose code follows that of seven.
            return (byte)(sign | (int)MathF.Round(magnitude / SmallestStep, MidpointRounding.ToEven));
        }

        uint bits = BitConverter.SingleToUInt32Bits(magnitude / ExponentRebias);
        uint half = (1u << (MantissaShift - 1)) - 1 + ((bits >> MantissaShift) & 1);
        return (byte)(sign | (int)((bits + half) >> MantissaShift));
    }
}
