using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace KimiLinear.Tensors;

/// <summary>
/// Finds scale and zero point of 4-bit blocks, one block of 16 rows at a time: lane r of every vector belongs to row r.
/// </summary>
/// <remarks>
/// A block's values x are stored as s · (c − z) with codes c from 0 to 15. What a choice of s and z leaves of Σ x² is called
/// its error, what it takes away its gain; only the gain is computed, since that loses no digits. Every operation is one of
/// single lanes, correctly rounded, so the outcome is the same on vectors of any width. Values are expected below 2 in
/// magnitude.
/// </remarks>
internal static unsafe class Q4BlockFit
{
    /// <summary>The largest zero point.</summary>
    public const float MaxZero = (256f - PackedLayout.ZeroMultiple) / PackedLayout.ZeroSteps;

    private const float StepsPerCode = PackedLayout.ZeroSteps / PackedLayout.ZeroMultiple;

    private const int Columns = PackedLayout.BlockColumns;
    private const int Rows = PackedLayout.TileRows;
    private const float MaxCode = PackedLayout.MaxQ4Code;

    // Added to a number below 2^22 it leaves the number rounded to the nearest integer, half to even, in the low bits.
    private const float RoundingBias = 12582912;

    // Grids tried first: their width as a part of the block's range, and where their middle lies, in steps.
    private const int WidthCount = 9;
    private const float Widest = 1.1f;
    private const float WidthStep = 0.0625f;
    private const float MiddleStep = 1f / 3;

    // Fits after the first one, for every grid and then for the best of them.
    private const int FitsOfEach = 1;
    private const int FitsOfBest = 2;

    // Stored scales tried to each side of the one nearest to the scale wanted.
    private const int ScaleReach = 3;

    // Stands for zero where a number is divided by; far below any step of a row whose largest value is at least 1.
    private const float Tiny = 1e-30f;

    /// <summary>Searches scale and zero point without regard to how finely they can be stored.</summary>
    /// <param name="values">The block, a vector per column. [32, 16]</param>
    /// <param name="scale">The scale of each row; 0 for a row of zeros.</param>
    /// <param name="zero">The zero point of each row, from 0 to <see cref="MaxZero"/>.</param>
    public static void Search(float* values, out Vector512<float> scale, out Vector512<float> zero)
    {
        Vector512<float> low = Vector512<float>.Zero, high = Vector512<float>.Zero, sum = Sum(values);
        for (int k = 0; k < Columns; k++)
        {
            Vector512<float> x = Vector512.Load(values + (k * Rows));
            low = Vector512.MinNative(low, x);
            high = Vector512.MaxNative(high, x);
        }

        Candidate best = default;
        for (int w = 0; w < WidthCount; w++)
        {
            Vector512<float> width = (high - low) * ((Widest - (w * WidthStep)) / MaxCode);
            Vector512<float> middle = Vector512.Create(MaxCode / 2) - ((high + low) * 0.5f * Invert(width));
            for (int m = -1; m <= 1; m++)
            {
                Candidate candidate = new() { Scale = width, Zero = middle + Vector512.Create(m * MiddleStep) };
                Refine(values, sum, FitsOfEach + 1, ref candidate);
                best.KeepBetter(candidate);
            }
        }

        Candidate refined = best;
        Refine(values, sum, FitsOfBest, ref refined);
        best.KeepBetter(refined);
        scale = best.Scale;
        zero = best.Zero;
    }

    /// <summary>Turns scale and zero point into those that can be stored: the best near the ones wanted.</summary>
    /// <param name="values">The block, a vector per column. [32, 16]</param>
    /// <param name="rowScale">What a stored scale of 1 stands for.</param>
    /// <param name="scale">The scale wanted; becomes the one to store, a whole number from 0 to 255.</param>
    /// <param name="zero">The zero point wanted; becomes the one to store, a multiple of 1 / 8.</param>
    public static void Quantize(float* values, Vector512<float> rowScale, ref Vector512<float> scale, ref Vector512<float> zero)
    {
        Vector512<float> sum = Sum(values);
        Vector512<float> nearest = Round(scale * Invert(rowScale));
        Vector512<float> half = Vector512.Create(MaxCode / 2);
        Candidate best = default;
        for (int reach = -ScaleReach; reach <= ScaleReach; reach++)
        {
            Vector512<float> stored = Clamp(nearest + Vector512.Create((float)reach), 1, byte.MaxValue);
            Vector512<float> step = rowScale * stored;
            Vector512<float> inverse = Invert(step);
            Vector512<float> start = RoundZero(half - ((half - zero) * scale * inverse));
            Accumulate(values, inverse, start, out Vector512<float> codes, out Vector512<float> squares, out var products);
            Vector512<float> fitted = RoundZero((codes - (sum * inverse)) * (1f / Columns));
            Moments(codes, squares, products, sum, fitted, out Vector512<float> p, out Vector512<float> q);
            best.KeepBetter(new Candidate { Scale = stored, Zero = fitted, Gain = step * (p + p - (step * q)) });
        }

        scale = best.Scale;
        zero = best.Zero;
    }

    /// <summary>The codes of one column, for the scale whose inverse is given.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<uint> Codes(float* column, Vector512<float> inverseScale, Vector512<float> zero) =>
        BiasedCodes(Vector512.Load(column), inverseScale, zero).AsUInt32() & Vector512.Create(0xFu);

    /// <summary>1 / x, and 0 where x is too small to be the scale of anything.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Invert(Vector512<float> x) =>
        (Vector512<float>.One / Vector512.MaxNative(x, Vector512.Create(Tiny)))
        & Vector512.GreaterThan(x, Vector512.Create(Tiny));

    // Alternates between the best codes for scale and zero point and the best scale and zero point for the codes.
    private static void Refine(float* values, Vector512<float> sum, int fits, ref Candidate candidate)
    {
        for (int i = 0; i < fits; i++)
        {
            Vector512<float> inverse = Invert(candidate.Scale);
            Accumulate(
                values, inverse, candidate.Zero, out Vector512<float> codes, out Vector512<float> squares, out var products);

            // Least squares. Where all codes are the same they tell nothing about the zero point, and it stays.
            Vector512<float> spread = (squares * Columns) - (codes * codes);
            Vector512<float> slope = (products * Columns) - (codes * sum);
            Vector512<float> tiny = Vector512.Create(Tiny);
            Vector512<float> told =
                Vector512.GreaterThan(spread, Vector512.Create(0.5f)) & Vector512.GreaterThan(slope, tiny);
            Vector512<float> free = (codes - (sum * spread / Vector512.MaxNative(slope, tiny))) * (1f / Columns);
            candidate.Zero = Clamp(Vector512.ConditionalSelect(told, free, candidate.Zero), 0, MaxZero);

            // The smallest q that is not rounding: all codes 15 and the largest zero point.
            Moments(codes, squares, products, sum, candidate.Zero, out Vector512<float> p, out Vector512<float> q);
            candidate.Scale = Vector512.MaxNative(p, Vector512<float>.Zero) / Vector512.MaxNative(q, Vector512.Create(0.1f));
            candidate.Gain = p * candidate.Scale;
        }
    }

    // p = Σ x · (c − z) and q = Σ (c − z)²: a scale s gains s · (2 p − s q), at best p² / q.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Moments(
        Vector512<float> codes,
        Vector512<float> squares,
        Vector512<float> products,
        Vector512<float> sum,
        Vector512<float> zero,
        out Vector512<float> p,
        out Vector512<float> q)
    {
        p = products - (zero * sum);
        q = squares - (zero * (codes + codes)) + (zero * zero * Columns);
    }

    // Σ c, Σ c² and Σ c · x.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Accumulate(
        float* values,
        Vector512<float> inverse,
        Vector512<float> zero,
        out Vector512<float> codes,
        out Vector512<float> squares,
        out Vector512<float> products)
    {
        Vector512<float> sum = Vector512<float>.Zero, sumOfSquares = sum, sumOfProducts = sum;
        for (int k = 0; k < Columns; k++)
        {
            Vector512<float> x = Vector512.Load(values + (k * Rows));
            Vector512<float> code = BiasedCodes(x, inverse, zero) - Vector512.Create(RoundingBias);
            sum += code;
            sumOfSquares = sumOfSquares + (code * code);
            sumOfProducts = sumOfProducts + (code * x);
        }

        codes = sum;
        squares = sumOfSquares;
        products = sumOfProducts;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> BiasedCodes(Vector512<float> x, Vector512<float> inverse, Vector512<float> zero)
    {
        Vector512<float> rounded = (x * inverse) + zero + Vector512.Create(RoundingBias);
        return Clamp(rounded, RoundingBias, RoundingBias + MaxCode);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Clamp(Vector512<float> x, float min, float max) =>
        Vector512.MinNative(Vector512.MaxNative(x, Vector512.Create(min)), Vector512.Create(max));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Round(Vector512<float> x) =>
        x + Vector512.Create(RoundingBias) - Vector512.Create(RoundingBias);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> RoundZero(Vector512<float> zero) =>
        Round(Clamp(zero, 0, MaxZero) * StepsPerCode) * (1f / StepsPerCode);

    private static Vector512<float> Sum(float* values)
    {
        Vector512<float> sum = Vector512<float>.Zero;
        for (int k = 0; k < Columns; k++)
        {
            sum += Vector512.Load(values + (k * Rows));
        }

        return sum;
    }

    private struct Candidate
    {
        public Vector512<float> Scale;
        public Vector512<float> Zero;
        public Vector512<float> Gain;

        // Strictly better, so that the earliest wins and a row of zeros keeps zeros.
        public void KeepBetter(in Candidate other)
        {
            Vector512<float> better = Vector512.GreaterThan(other.Gain, Gain);
            Scale = Vector512.ConditionalSelect(better, other.Scale, Scale);
            Zero = Vector512.ConditionalSelect(better, other.Zero, Zero);
            Gain = Vector512.ConditionalSelect(better, other.Gain, Gain);
        }
    }
}
