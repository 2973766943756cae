using System.Runtime.CompilerServices;

namespace KimiLinear.Backends;

/// <summary>e^x in float32 throughout, where the runtime's own goes by way of float64 and is a call.</summary>
/// <remarks>Nearly always the nearest float32; infinite, zero and subnormal results are as they should be, and NaN stays.</remarks>
internal static class Exponential<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    // Results are zero below, and infinite above.
    private const float Smallest = -104;
    private const float Largest = 89;

    private const float Log2E = 1.44269504f;

    // ln 2 in two parts; the first has so few digits that its multiples are exact.
    private const float Ln2High = 0.693359375f;
    private const float Ln2Low = -2.12194440e-4f;

    // Numbers near it are integers, and their lowest bits count them.
    private const float Shift = 12582912;

    // (e^x − 1 − x) / x² on [−½ ln 2, ½ ln 2], highest power first (Moshier, Cephes).
    private const float C6 = 1.9875691500e-4f;
    private const float C5 = 1.3981999507e-3f;
    private const float C4 = 8.3334519073e-3f;
    private const float C3 = 4.1665795894e-2f;
    private const float C2 = 1.6666665459e-1f;
    private const float C1 = 5.0000001201e-1f;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Of(TVector value)
    {
        TVector shift = TSimd.Broadcast(Shift);
        TVector one = TSimd.Broadcast(1);
        TVector negated = TSimd.Larger(TSimd.Broadcast(-Largest), TSimd.Subtract(TSimd.Zero, value));
        TVector x = TSimd.Larger(TSimd.Broadcast(Smallest), TSimd.Subtract(TSimd.Zero, negated));

        // x = n · ln 2 + r, and what rounding took from r.
        TVector n = TSimd.Subtract(TSimd.MultiplyAdd(x, TSimd.Broadcast(Log2E), shift), shift);
        TVector exact = TSimd.MultiplyAdd(n, TSimd.Broadcast(-Ln2High), x);
        TVector r = TSimd.MultiplyAdd(n, TSimd.Broadcast(-Ln2Low), exact);
        TVector lost = TSimd.MultiplyAdd(n, TSimd.Broadcast(-Ln2Low), TSimd.Subtract(exact, r));
        TVector p = TSimd.MultiplyAdd(TSimd.Broadcast(C6), r, TSimd.Broadcast(C5));
        p = TSimd.MultiplyAdd(p, r, TSimd.Broadcast(C4));
        p = TSimd.MultiplyAdd(p, r, TSimd.Broadcast(C3));
        p = TSimd.MultiplyAdd(p, r, TSimd.Broadcast(C2));
        p = TSimd.MultiplyAdd(p, r, TSimd.Broadcast(C1));

        // 1 + r is taken apart from the rest, so that only the last addition rounds what counts.
        TVector first = TSimd.Add(one, r);
        lost = TSimd.Add(lost, TSimd.Subtract(r, TSimd.Subtract(first, one)));
        p = TSimd.Add(first, TSimd.MultiplyAdd(p, TSimd.Multiply(r, r), lost));

        // 2^n in two factors: n alone may be out of the exponent's range.
        TVector half = TSimd.MultiplyAdd(n, TSimd.Broadcast(0.5f), shift);
        TVector rest = TSimd.Add(TSimd.Subtract(n, TSimd.Subtract(half, shift)), shift);
        return TSimd.Multiply(TSimd.ScaleByPowerOfTwo(p, half), TSimd.ScaleByPowerOfTwo(one, rest));
    }
}
