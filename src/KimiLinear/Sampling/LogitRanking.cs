namespace KimiLinear.Sampling;

/// <summary>Ranks logits without sorting them: digit by digit of an integer that grows as the logit does.</summary>
/// <remarks>
/// Three passes over buckets of 11, 11 and 10 bits find any threshold exactly, in linear time whatever the values are.
/// </remarks>
internal static class LogitRanking
{
    /// <summary>The number of buckets a pass needs.</summary>
    public const int BucketCount = 1 << 11;

    /// <summary>The number of passes that fix a threshold to the last bit.</summary>
    public const int PassCount = 3;

    /// <summary>Returns an integer that is greater exactly when the logit is; both zeros are one value.</summary>
    public static uint Key(float logit)
    {
        uint bits = BitConverter.SingleToUInt32Bits(logit);
        const uint Sign = 0x80000000;
        if (bits == Sign)
        {
            return Sign;
        }

        return (bits & Sign) == 0 ? bits | Sign : ~bits;
    }

    /// <summary>Returns the logit whose key this is.</summary>
    public static float FromKey(uint key) => BitConverter.UInt32BitsToSingle((key & 0x80000000) != 0 ? key & 0x7FFFFFFF : ~key);

    /// <summary>Returns how far a key is shifted right so that a pass's digit is its lowest.</summary>
    public static int DigitShift(int pass) => pass switch { 0 => 21, 1 => 10, _ => 0 };

    /// <summary>Returns the bits of a key that a pass looks at, once shifted.</summary>
    public static uint DigitMask(int pass) => pass == PassCount - 1 ? 0x3FFu : 0x7FFu;

    /// <summary>Returns the bits of a key that the passes before this one have fixed.</summary>
    public static uint PrefixMask(int pass) => pass switch { 0 => 0, 1 => 0xFFE00000, _ => 0xFFFFFC00 };

    /// <summary>Masks what lies below a threshold, and what ties with it after the first few.</summary>
    /// <param name="logits">The scores, masked in place. [N]</param>
    /// <param name="threshold">The lowest score that is kept.</param>
    /// <param name="keptTies">How many of the scores equal to the threshold are kept, lower indices first.</param>
    public static void Mask(Span<float> logits, float threshold, int keptTies)
    {
        foreach (ref float logit in logits)
        {
            if (logit > threshold || (logit == threshold && keptTies-- > 0))
            {
                continue;
            }

            logit = float.NegativeInfinity;
        }
    }
}
