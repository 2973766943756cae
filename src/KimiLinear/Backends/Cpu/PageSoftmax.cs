using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace KimiLinear.Backends;

/// <summary>Turns one page's scores into integer weights of its values, within a softmax that runs over the pages.</summary>
/// <remarks>
/// Scores are exponents of two. The weights of a page are relative to its largest, so that a page far below the largest score
/// so far keeps its precision. A row's integers depend on what the row sees and on nothing behind it, so that they are the same
/// whatever tokens are attended to together. Arrays over rows have room for a whole number of vectors.
/// </remarks>
internal unsafe struct PageSoftmax<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    /// <summary>Below every score; stands for none.</summary>
    public const float NoScore = -1e30f;

    // Weights that sum up to this, rounded, and values of up to 14 bits fit a sum of 32 bits.
    private const float LargestSum = (int.MaxValue / LatentRows.LargestInteger) - (CacheLayout.PageTokens * 0.5f) - 1;

    // Of values that are all zero, or next to it.
    private const float LargestResolution = 1e30f;

    // Of a normal number.
    private const float SmallestExponent = -126;

    // 2^x − 1 on [−½, ½] by interpolation: the coefficients of x, x² and so on.
    private const float C1 = 0.693147182f;
    private const float C2 = 0.240223497f;
    private const float C3 = 0.0555038117f;
    private const float C4 = 0.00966636837f;
    private const float C5 = 0.00133813021f;

    private float* _scores;
    private float* _factors;    // [PageTokens] what a value's integers are multiples of
    private float* _largest;    // [PageTokens + 1] the largest of so many first factors; of all, in place of none
    private float* _pageMaxima; // [rows]

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
        (3 * CacheLayout.PageTokens) + (PaddedCount(rowCount) * ((CacheLayout.PageTokens * 3L / 2) + 3));

    /// <summary>A number of rows whose arrays hold whole vectors.</summary>
    public static int PaddedCount(int rowCount) => CacheLayout.PaddedLength(rowCount);

    public static PageSoftmax<TSimd, TVector> Create(float* scratch, int rowCount)
    {
        long rows = PaddedCount(rowCount);
        PageSoftmax<TSimd, TVector> softmax = new()
        {
            _factors = scratch,
            _largest = scratch + CacheLayout.PageTokens,
            _scores = scratch + (3 * CacheLayout.PageTokens),
        };
        softmax.Weights = (short*)(softmax._scores + (rows * CacheLayout.PageTokens));
        softmax._pageMaxima = (float*)(softmax.Weights + (rows * CacheLayout.PageTokens));
        softmax.Keep = softmax._pageMaxima + rows;
        softmax.Scales = softmax.Keep + rows;
        return softmax;
    }

    /// <summary>2^x for x that is not positive.</summary>
    public static float Exp2(float x) => MathF.Pow(2, MathF.Max(x, SmallestExponent));

    /// <summary>Says what the integers of each value are multiples of; values from a count on do not exist.</summary>
    public readonly void SetValueScales(float* scales, int count) // [PageTokens]
    {
        new ReadOnlySpan<float>(scales, count).CopyTo(new Span<float>(_factors, count));
        new Span<float>(_factors + count, CacheLayout.PageTokens - count).Clear();
        float largest = 0;
        for (int i = 0; i < CacheLayout.PageTokens; i++)
        {
            largest = MathF.Max(largest, _factors[i]);
            _largest[i + 1] = largest;
        }

        _largest[0] = largest;
    }

    /// <summary>
    /// Weighs a page for a multiple of four rows. Row i sees its first scores only: a number that grows by one from row to row,
    /// a period long.
    /// </summary>
    public readonly void Weigh(int rowCount, int firstSeen, int period, float* maxima, float* sums) // [rows] each
    {
        if (firstSeen < CacheLayout.PageTokens)
        {
            for (int row = 0; row < rowCount; row++)
            {
                int seen = Seen(row, firstSeen, period);
                new Span<float>(_scores + (row * CacheLayout.PageTokens) + seen, CacheLayout.PageTokens - seen).Fill(NoScore);
            }
        }

        for (int row = 0; row < rowCount; row += 4)
        {
            FindMaxima(row);
        }

        Rescale(rowCount, maxima, sums);
        for (int row = 0; row < rowCount; row += 4)
        {
            WeighRows(row, LargestFactors(row, firstSeen, period), sums);
        }
    }

    // The largest factors that four rows see.
    private readonly Vector128<float> LargestFactors(int row, int firstSeen, int period)
    {
        if (firstSeen >= CacheLayout.PageTokens)
        {
            return Vector128.Create(_largest[CacheLayout.PageTokens]);
        }

        return Vector128.Create(
            _largest[Seen(row, firstSeen, period)],
            _largest[Seen(row + 1, firstSeen, period)],
            _largest[Seen(row + 2, firstSeen, period)],
            _largest[Seen(row + 3, firstSeen, period)]);
    }

    private static int Seen(int row, int firstSeen, int period) =>
        Math.Clamp(firstSeen + (row % period), 0, CacheLayout.PageTokens);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void FindMaxima(int row)
    {
        float* scores = _scores + (row * CacheLayout.PageTokens);
        TVector a = TSimd.Load(scores);
        TVector b = TSimd.Load(scores + CacheLayout.PageTokens);
        TVector c = TSimd.Load(scores + (2 * CacheLayout.PageTokens));
        TVector d = TSimd.Load(scores + (3 * CacheLayout.PageTokens));
        for (int i = TSimd.Width; i < CacheLayout.PageTokens; i += TSimd.Width)
        {
            a = TSimd.Larger(a, TSimd.Load(scores + i));
            b = TSimd.Larger(b, TSimd.Load(scores + CacheLayout.PageTokens + i));
            c = TSimd.Larger(c, TSimd.Load(scores + (2 * CacheLayout.PageTokens) + i));
            d = TSimd.Larger(d, TSimd.Load(scores + (3 * CacheLayout.PageTokens) + i));
        }

        TSimd.Max4(a, b, c, d).Store(_pageMaxima + row);
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
            TVector after = TSimd.Larger(before, page);
            TVector keep = Exp2(TSimd.Subtract(before, after));
            TSimd.Store(maxima + i, after);
            TSimd.Store(Keep + i, keep);
            TSimd.Store(Scales + i, Exp2(TSimd.Subtract(page, after)));
            TSimd.Store(sums + i, TSimd.Multiply(TSimd.Load(sums + i), keep));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void WeighRows(int row, Vector128<float> largest, float* sums)
    {
        float* scores = _scores + (row * CacheLayout.PageTokens);
        TVector s0 = TSimd.Zero, s1 = TSimd.Zero, s2 = TSimd.Zero, s3 = TSimd.Zero;
        TVector t0 = TSimd.Zero, t1 = TSimd.Zero, t2 = TSimd.Zero, t3 = TSimd.Zero;
        for (int i = 0; i < CacheLayout.PageTokens; i += TSimd.Width)
        {
            TVector factors = TSimd.Load(_factors + i);
            Weigh(scores + i, _pageMaxima[row], factors, ref s0, ref t0);
            Weigh(scores + CacheLayout.PageTokens + i, _pageMaxima[row + 1], factors, ref s1, ref t1);
            Weigh(scores + (2 * CacheLayout.PageTokens) + i, _pageMaxima[row + 2], factors, ref s2, ref t2);
            Weigh(scores + (3 * CacheLayout.PageTokens) + i, _pageMaxima[row + 3], factors, ref s3, ref t3);
        }

        // No weight is larger than 1, and none times its factor than the largest that its row sees.
        Vector128<float> resolutions = Vector128.MinNative(
            Vector128.MinNative(
                Vector128.Create(LargestSum) / TSimd.Sum4(t0, t1, t2, t3),
                Vector128.Create((float)short.MaxValue) / largest),
            Vector128.Create(LargestResolution));
        Vector128<float> shares = Vector128.Load(Scales + row);
        (Vector128.Load(sums + row) + (shares * TSimd.Sum4(s0, s1, s2, s3))).Store(sums + row);
        (shares / resolutions).Store(Scales + row);
        for (int i = 0; i < 4; i++)
        {
            Round(scores + (i * CacheLayout.PageTokens), resolutions[i], Weights + ((row + i) * CacheLayout.PageTokens));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Weigh(float* scores, float max, TVector factors, ref TVector sum, ref TVector scaledSum)
    {
        TVector weight = Exp2(TSimd.Subtract(TSimd.Load(scores), TSimd.Broadcast(max)));
        TVector scaled = TSimd.Multiply(weight, factors);
        TSimd.Store(scores, scaled);
        sum = TSimd.Add(sum, weight);
        scaledSum = TSimd.Add(scaledSum, scaled);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Round(float* scaled, float resolution, short* weights)
    {
        TVector resolutions = TSimd.Broadcast(resolution);
        for (int i = 0; i < CacheLayout.PageTokens; i += TSimd.Width)
        {
            TSimd.StoreInt16(weights + i, TSimd.Multiply(TSimd.Load(scaled + i), resolutions));
        }
    }

    // 2^x for x that are not positive, to 2·10⁻⁷: a polynomial for what is left of the nearest power of two.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector Exp2(TVector x)
    {
        TVector rounding = TSimd.Broadcast(VectorRounding.ToInteger);
        x = TSimd.Larger(TSimd.Broadcast(SmallestExponent), x);
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
