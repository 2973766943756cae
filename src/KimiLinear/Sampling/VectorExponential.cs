using System.Numerics;

namespace KimiLinear.Sampling;

/// <summary>The exponential of numbers that are never positive, as a softmax needs it.</summary>
/// <remarks>
/// Written out rather than taken from the library so that every machine and version gives the same bits and exp(0) is exactly 1.
/// The polynomial is that of the Cephes library's <c>expf</c>; the relative error stays below 2e-7.
/// </remarks>
internal static class VectorExponential
{
    // Below this the result would not be a normal float; it counts as 0.
    private const float Lowest = -87.3f;

    private const float Log2OfE = 1.44269504f;

    // ln 2 in two parts, the first exact in few bits, so that the multiple subtracted from x loses nothing.
    private const float Ln2High = 0.693359375f;
    private const float Ln2Low = -2.12194440e-4f;

    /// <summary>Computes exp(x) for every lane; x must not be above 0.</summary>
    public static Vector<float> Exp(Vector<float> x)
    {
        // x = power · ln 2 + rest, with |rest| ≤ ln 2 / 2
        Vector<float> power = Vector.Floor((x * Log2OfE) + new Vector<float>(0.5f));
        Vector<float> rest = x - (power * Ln2High) - (power * Ln2Low);

        Vector<float> series = (rest * 1.9875691500e-4f) + new Vector<float>(1.3981999507e-3f);
        series = (series * rest) + new Vector<float>(8.3334519073e-3f);
        series = (series * rest) + new Vector<float>(4.1665795894e-2f);
        series = (series * rest) + new Vector<float>(1.6666665459e-1f);
        series = (series * rest) + new Vector<float>(5.0000001201e-1f);
        series = (series * rest * rest) + rest + Vector<float>.One;

        Vector<int> exponent = Vector.ShiftLeft(Vector.ConvertToInt32(power) + new Vector<int>(127), 23);
        Vector<float> result = series * Vector.AsVectorSingle(exponent);
        return Vector.ConditionalSelect(Vector.LessThan(x, new Vector<float>(Lowest)), Vector<float>.Zero, result);
    }

    /// <summary>Computes exp(x) as <see cref="Exp(Vector{float})"/> does, bit for bit.</summary>
    public static float Exp(float x) => Exp(new Vector<float>(x))[0];
}
