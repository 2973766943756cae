using System.Runtime.CompilerServices;

namespace KimiLinear.Backends;

/// <summary>Turns one page's scores into integer weights of its values, within a softmax that runs over the pages.</summary>
/// <remarks>
/// Scores are exponents of two. The weights of a page are relative to its largest, so that a page far below the largest score
/// so far keeps its precision. Arrays over rows have room for a whole number of vectors.
/// </remarks>
internal unsafe struct PageSoftmax<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    /// <summary>Below every score; stands for none.</summary>
    public const float NoScore = -1e30f;

    // Weights that sum up to this, rounded, and values of up to 14 bits fit a sum of 32 bits.
    private const float LargestSum = (int.MaxValue / LatentRows.LargestInteger) - (CacheLayout.PageTokens * 0.5f) - 1;

    // Of a normal number.
    private const float SmallestExponent = -126;

    // 2^x − 1 on [−½, ½] by interpolation: the coefficients of x, x² and so on.
    private const float C1 = 0.693147182f;
    private const float C2 = 0.240223497f;
    private const float C3 = 0.0555038117f;
    private const float C4 = 0.00966636837f;
    private const float C5 = 0.00133813021f;

    private float* _scores;
    private float* _factors;    // [PageTokens] what a value's integers are multiples of, relative to the largest
    private float* _pageMaxima; // [rows]
    private float _largest;     // of what the values' integers are multiples of

    /// <summary>The first row's scores; what has been weighed is lost.</summary>
    public readonly float* Scores => _scores; // [rows, PageTokens]

    /// <summary>What each value counts.</summary>
    public short* Weights { get; private set; } // [rows, PageTokens]

    /// <summary>What remains of the values gathered so far.</summary>
    public float* Keep { get; private set; } // [rows]

    /// <summary>What this page's weighted values are multiples of.</summary>
    public float* Scales { get; private set; } // [rows]

    /// <summary>Float32 values of scratch for this many rows.</summary>
    public static long ScratchLength(int rowCount) =>
        CacheLayout.PageTokens + (PaddedCount(rowCount) * ((CacheLayout.PageTokens * 3L / 2) + 3));

    /// <summary>A number of rows whose arrays hold whole vectors.</summary>
    public static int PaddedCount(int rowCount) => CacheLayout.PaddedLength(rowCount);

    public static PageSoftmax<TSimd, TVector> Create(float* scratch, int rowCount)
    {
        long rows = PaddedCount(rowCount);
        PageSoftmax<TSimd, TVector> softmax = new() { _factors = scratch, _scores = scratch + CacheLayout.PageTokens };
        softmax.Weights = (short*)(softmax._scores + (rows * CacheLayout.PageTokens));
        softmax._pageMaxima = (float*)(softmax.Weights + (rows * CacheLayout.PageTokens));
        softmax.Keep = softmax._pageMaxima + rows;
        softmax.Scales = softmax.Keep + rows;
        return softmax;
    }

    /// <summary>2^x for x that is not positive.</summary>
    public static float Exp2(float x) => MathF.Pow(2, MathF.Max(x, SmallestExponent));

    /// <summary>Says what the integers of each value are multiples of; values from a count on do not exist.</summary>
    public void SetValueScales(float* scales, int count) // [PageTokens]
    {
        _largest = VectorKernel<TSimd, TVector>.Max(scales, count);
        float factor = _largest == 0 ? 0 : 1 / _largest;
        for (int i = 0; i < CacheLayout.PageTokens; i++)
        {
            _factors[i] = i < count ? scales[i] * factor : 0;
        }
    }

    /// <summary>Weighs a page. Row i sees its first scores only: a number that grows by one from row to row, a period long.</summary>
    public readonly void Weigh(int rowCount, int firstSeen, int period, float* maxima, float* sums) // [rows] each
    {
        for (int row = 0; row < rowCount; row++)
        {
            float* scores = _scores + (row * CacheLayout.PageTokens);
            int seen = Math.Clamp(firstSeen + (row % period), 0, CacheLayout.PageTokens);
            if (seen < CacheLayout.PageTokens)
            {
                new Span<float>(scores + seen, CacheLayout.PageTokens - seen).Fill(NoScore);
            }

            _pageMaxima[row] = VectorKernel<TSimd, TVector>.Max(scores, CacheLayout.PageTokens);
        }

        Rescale(rowCount, maxima, sums);
        for (int row = 0; row < rowCount; row++)
        {
            int offset = row * CacheLayout.PageTokens;
            float share = Scales[row];
            sums[row] += share * WeighRow(_scores + offset, _pageMaxima[row], Weights + offset, out float unit);
            Scales[row] = share * unit;
        }
    }

    // Takes the page's maxima into the running ones. A row that sees nothing gets weights that count nothing once it has seen
    // something: their share is the smallest power of two.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Rescale(int rowCount, float* maxima, float* sums)
    {
        for (int i = 0; i < rowCount; i += TSimd.Width)
        {
            TVector before = TSimd.Load(maxima + i);
            TVector page = TSimd.Load(_pageMaxima + i);
            TVector after = TSimd.Max(before, page);
            TVector keep = Exp2(TSimd.Subtract(before, after));
            TSimd.Store(maxima + i, after);
            TSimd.Store(Keep + i, keep);
            TSimd.Store(Scales + i, Exp2(TSimd.Subtract(page, after)));
            TSimd.Store(sums + i, TSimd.Multiply(TSimd.Load(sums + i), keep));
        }
    }

    // Returns the sum of the weights, and what their products with the values are multiples of.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly float WeighRow(float* scores, float max, short* weights, out float unit)
    {
        TVector maxima = TSimd.Broadcast(max);
        TVector sum = TSimd.Zero;
        TVector scaledSum = TSimd.Zero;
        for (int i = 0; i < CacheLayout.PageTokens; i += TSimd.Width)
        {
            TVector weight = Exp2(TSimd.Subtract(TSimd.Load(scores + i), maxima));
            TVector scaled = TSimd.Multiply(weight, TSimd.Load(_factors + i));
            sum = TSimd.Add(sum, weight);
            scaledSum = TSimd.Add(scaledSum, scaled);
            TSimd.Store(scores + i, scaled);
        }

        // No weight is larger than 1.
        float total = TSimd.Sum(scaledSum);
        float resolution = total * short.MaxValue > LargestSum ? LargestSum / total : short.MaxValue;
        TVector resolutions = TSimd.Broadcast(resolution);
        for (int i = 0; i < CacheLayout.PageTokens; i += TSimd.Width)
        {
            TSimd.StoreInt16(weights + i, TSimd.Multiply(TSimd.Load(scores + i), resolutions));
        }

        unit = _largest / resolution;

        return TSimd.Sum(sum);
    }

    // 2^x for x that are not positive, to 2·10⁻⁷: a polynomial for what is left of the nearest power of two.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector Exp2(TVector x)
    {
        TVector rounding = TSimd.Broadcast(VectorRounding.ToInteger);
        x = TSimd.Max(x, TSimd.Broadcast(SmallestExponent));
        TVector exponents = TSimd.Add(x, rounding);
        TVector rest = TSimd.Subtract(x, TSimd.Subtract(exponents, rounding));
        TVector y = TSimd.Broadcast(C5);
        y = TSimd.MultiplyAdd(y, rest, TSimd.Broadcast(C4));
        y = TSimd.MultiplyAdd(y, rest, TSimd.Broadcast(C3));
        y = TSimd.MultiplyAdd(y, rest, TSimd.Broadcast(C2));
        y = TSimd.MultiplyAdd(y, rest, TSimd.Broadcast(C1));
        y = TSimd.MultiplyAdd(y, rest, TSimd.Broadcast(1));
        return TSimd.ScaleByPowerOfTwo(y, exponents);
    }
}
