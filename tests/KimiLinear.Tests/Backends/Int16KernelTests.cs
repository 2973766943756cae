using KimiLinear.Backends;
using Xunit;

namespace KimiLinear.Tests.Backends;

/// <summary>The integer kernels of latent attention against exact integers and double precision, in every width.</summary>
public sealed unsafe class Int16KernelTests
{
    private const int PageTokens = CacheLayout.PageTokens;

    public static TheoryData<string> Widths => Kernels.Widths;

    [Theory]
    [MemberData(nameof(Widths))]
    public void Scores_AnyShape_MatchesExactIntegers(string width) => Kernels.Run(width, new ScoresCheck());

    [Theory]
    [MemberData(nameof(Widths))]
    public void QuantiseQuery_AnyRow_NoSumWithTheLargestRowOverflows(string width) => Kernels.Run(width, new OverflowCheck());

    [Theory]
    [MemberData(nameof(Widths))]
    public void Quantise_AnyLength_RoundsToHalfAStep(string width) => Kernels.Run(width, new QuantiseCheck());

    [Theory]
    [MemberData(nameof(Widths))]
    public void PairProduct_AnyShape_MatchesExactIntegers(string width) => Kernels.Run(width, new ProductCheck());

    [Theory]
    [MemberData(nameof(Widths))]
    public void PageSoftmax_SeveralPages_MatchesDoublePrecision(string width) => Kernels.Run(width, new SoftmaxCheck());

    [Theory]
    [MemberData(nameof(Widths))]
    public void PageSoftmax_RowsThatSeeMore_ChangeNothingForOthers(string width) => Kernels.Run(width, new CompanyCheck());

    private static short[] Integers(Random random, int length, int limit)
    {
        short[] values = new short[length];
        foreach (ref short value in values.AsSpan())
        {
            value = (short)random.Next(-limit, limit + 1);
        }

        return values;
    }

    private static void Close(double expected, float actual, double tolerance) =>
        Assert.InRange(actual, expected - tolerance, expected + tolerance);

    private sealed class ScoresCheck : IKernelCheck
    {
        public void Run<TSimd, TVector>()
            where TSimd : struct, ISimd<TVector>
            where TVector : struct
        {
            Random random = new(1);
            foreach (int length in (int[])[32, 64, 96, 512, 576])
            {
                foreach ((int queryCount, int rowCount) in ((int, int)[])[(4, 4), (8, 20), (4, 64)])
                {
                    short[] queries = Integers(random, queryCount * length, 900);
                    short[] rows = Integers(random, rowCount * length, LatentRows.LargestInteger);
                    float[] queryScales = Kernels.Random(random, queryCount);
                    float[] rowScales = Kernels.Random(random, rowCount);
                    float[] before = Kernels.Random(random, queryCount * PageTokens);
                    foreach (bool add in (bool[])[false, true])
                    {
                        float[] scores = [.. before];
                        fixed (short* q = queries, r = rows)
                        fixed (float* qs = queryScales, rs = rowScales, s = scores)
                        {
                            Int16Kernel<TSimd, TVector>.Scores(
                                q, length, qs, queryCount, r, length, rs, rowCount, length, add, s);
                        }

                        for (int i = 0; i < queryCount; i++)
                        {
                            for (int j = 0; j < PageTokens; j++)
                            {
                                int at = (i * PageTokens) + j;
                                double sum = j >= rowCount ? 0 : Enumerable.Range(0, length)
                                    .Sum(k => (double)queries[(i * length) + k] * rows[(j * length) + k]);
                                double scaled = j >= rowCount ? 0 : sum * queryScales[i] * rowScales[j];
                                double expected = scaled + (add || j >= rowCount ? before[at] : 0);
                                // A block of 32 products or more becomes float32.
                                Close(expected, scores[at], 1e-6 * length * 900 * LatentRows.LargestInteger / 16);
                            }
                        }
                    }
                }
            }
        }
    }

    private sealed class OverflowCheck : IKernelCheck
    {
        public void Run<TSimd, TVector>()
            where TSimd : struct, ISimd<TVector>
            where TVector : struct
        {
            Random random = new(2);
            foreach (int length in (int[])[32, 64, 512, 1024])
            {
                // All as large as possible; random; one large value among small ones.
                float[][] cases =
                [
                    [.. Enumerable.Repeat(3f, length)],
                    Kernels.Random(random, length),
                    [.. Enumerable.Range(0, length).Select(i => i == 5 ? 1e6f : 1)],
                ];
                foreach (float[] query in cases)
                {
                    CheckScore<TSimd, TVector>(query);
                }
            }
        }

        private static void CheckScore<TSimd, TVector>(float[] query)
            where TSimd : struct, ISimd<TVector>
            where TVector : struct
        {
            int length = query.Length;
            short[] queries = new short[4 * length];
            short[] rows = new short[4 * length];
            float[] queryScales = new float[4];
            float[] rowScales = [1, 1, 1, 1];
            float[] scores = new float[4 * PageTokens];
            fixed (float* x = query, qs = queryScales, rs = rowScales, s = scores)
            fixed (short* q = queries, r = rows)
            {
                qs[0] = Int16Kernel<TSimd, TVector>.QuantiseQuery(x, length, q);
                for (int i = 0; i < length; i++)
                {
                    r[i] = (short)(Math.Sign(query[i]) * LatentRows.LargestInteger);
                }

                Int16Kernel<TSimd, TVector>.Scores(q, length, qs, 4, r, length, rs, 4, length, false, s);
            }

            double magnitude = query.Sum(value => Math.Abs((double)value)) * LatentRows.LargestInteger;
            Close(magnitude, scores[0], magnitude * 2e-3);
        }
    }

    private sealed class QuantiseCheck : IKernelCheck
    {
        public void Run<TSimd, TVector>()
            where TSimd : struct, ISimd<TVector>
            where TVector : struct
        {
            Random random = new(3);
            for (int length = 1; length <= 70; length++)
            {
                float[] x = Kernels.Random(random, length, 9);
                int padded = CacheLayout.PaddedLength(length);
                short[] y = [.. Enumerable.Repeat((short)-1, padded)];
                float scale;
                fixed (float* source = x)
                fixed (short* target = y)
                {
                    scale = Int16Kernel<TSimd, TVector>.Quantise(source, length, LatentRows.LargestInteger, target, padded);
                }

                for (int i = 0; i < padded; i++)
                {
                    Assert.InRange(Math.Abs(y[i]), 0, LatentRows.LargestInteger);
                    Close(i < length ? x[i] : 0, y[i] * scale, i < length ? 0.501 * scale : 0);
                }
            }
        }
    }

    private sealed class ProductCheck : IKernelCheck
    {
        public void Run<TSimd, TVector>()
            where TSimd : struct, ISimd<TVector>
            where TVector : struct
        {
            Random random = new(4);
            (int, int, int)[] shapes = [(4, 1, 32), (8, 16, 64), (12, 31, 64), (4, 32, 32)];
            foreach ((int rowCount, int pairCount, int width) in shapes)
            {
                short[] left = Integers(random, rowCount * PageTokens, 2000);
                short[] right = Integers(random, pairCount * 2 * 64, LatentRows.LargestInteger);
                float[] rowScales = Kernels.Random(random, rowCount);
                float[] columnScales = Kernels.Random(random, 64);
                float[] keep = Kernels.Random(random, rowCount);
                float[] before = Kernels.Random(random, rowCount * 64);
                for (int variant = 0; variant < 4; variant++)
                {
                    (bool hasColumns, bool sets) = ((variant & 1) != 0, (variant & 2) != 0);
                    float[] output = [.. before];
                    fixed (short* l = left, r = right)
                    fixed (float* rs = rowScales, cs = columnScales, k = keep, o = output)
                    {
                        PairProduct<TSimd, TVector>.Multiply(new PairProduct<TSimd, TVector>.Operands
                        {
                            Left = l,
                            LeftStride = PageTokens,
                            RowCount = rowCount,
                            Right = (float*)r,
                            PairCount = pairCount,
                            Width = width,
                            RowScales = rs,
                            ColumnScales = hasColumns ? cs : null,
                            Keep = hasColumns ? null : k,
                            Sets = sets,
                            Output = o,
                            OutputStride = 64,
                        });
                    }

                    for (int i = 0; i < rowCount * 64; i++)
                    {
                        (int row, int column) = (i / 64, i % 64);
                        if (column >= width)
                        {
                            Assert.Equal(before[i], output[i]);
                            continue;
                        }

                        double sum = Enumerable.Range(0, 2 * pairCount).Sum(
                            k => (double)left[(row * PageTokens) + k] * right[(k / 2 * 128) + (2 * column) + (k % 2)]);
                        double kept = sets ? 0 : before[i] * (hasColumns ? 1.0 : keep[row]);
                        Close(
                            kept + (sum * rowScales[row] * (hasColumns ? columnScales[column] : 1)),
                            output[i],
                            1 + (Math.Abs(sum) * 1e-6));
                    }
                }
            }
        }
    }

    private sealed class SoftmaxCheck : IKernelCheck
    {
        // Tokens 100 to 103 of a sequence: two pages, the second seen in part, and by one row more than by the one before.
        private const int Rows = 4;
        private const int FirstLength = 101;

        public void Run<TSimd, TVector>()
            where TSimd : struct, ISimd<TVector>
            where TVector : struct
        {
            Random random = new(5);
            foreach (float spread in (float[])[0, 1, 8, 60])
            {
                CheckSpread<TSimd, TVector>(random, spread);
            }
        }

        private static void CheckSpread<TSimd, TVector>(Random random, float spread)
            where TSimd : struct, ISimd<TVector>
            where TVector : struct
        {
            int padded = PageSoftmax<TSimd, TVector>.PaddedCount(Rows);
            float[] scratch = new float[PageSoftmax<TSimd, TVector>.ScratchLength(Rows)];
            float[] maxima = [.. Enumerable.Repeat(PageSoftmax<TSimd, TVector>.NoScore, padded)];
            float[] sums = new float[padded];
            double[] gathered = new double[Rows];
            float[] scores = Kernels.Random(random, Rows * 2 * PageTokens, spread);
            short[] values = Integers(random, 2 * PageTokens, LatentRows.LargestInteger);
            float[] valueScales = [.. Kernels.Random(random, 2 * PageTokens).Select(value => 0.1f + MathF.Abs(value))];
            fixed (float* memory = scratch, m = maxima, s = sums, vs = valueScales)
            {
                var softmax = PageSoftmax<TSimd, TVector>.Create(memory, Rows);
                for (int page = 0; page < 2; page++)
                {
                    for (int row = 0; row < Rows; row++)
                    {
                        scores.AsSpan(((row * 2) + page) * PageTokens, PageTokens)
                            .CopyTo(new Span<float>(softmax.Scores + (row * PageTokens), PageTokens));
                    }

                    int firstSeen = FirstLength - (page * PageTokens);
                    softmax.SetValueScales(vs + (page * PageTokens), Math.Min(PageTokens, firstSeen + Rows - 1));
                    softmax.Weigh(Rows, firstSeen, int.MaxValue, m, s);
                    for (int row = 0; row < Rows; row++)
                    {
                        long sum = 0;
                        long largest = 0;
                        for (int i = 0; i < PageTokens; i++)
                        {
                            long weight = softmax.Weights[(row * PageTokens) + i];
                            sum += weight * values[(page * PageTokens) + i];
                            largest += weight * LatentRows.LargestInteger;
                        }

                        Assert.InRange(largest, 0, int.MaxValue);
                        gathered[row] = (gathered[row] * softmax.Keep[row]) + (sum * (double)softmax.Scales[row]);
                    }
                }
            }

            for (int row = 0; row < Rows; row++)
            {
                int length = FirstLength + row;
                float[] seen = scores[(row * 2 * PageTokens)..((row * 2 * PageTokens) + length)];
                double[] weights = [.. seen.Select(score => Math.Pow(2, score - seen.Max()))];
                double expected = weights.Select((weight, i) => weight * values[i] * valueScales[i]).Sum() / weights.Sum();
                Close(expected, (float)(gathered[row] / sums[row]), 2e-4 * LatentRows.LargestInteger);
                Close(weights.Sum() * Math.Pow(2, seen.Max() - maxima[row]), sums[row], 1e-5 * sums[row]);
            }
        }
    }

    private sealed class CompanyCheck : IKernelCheck
    {
        private const int Rows = 4;
        private const int FirstLength = 9;

        public void Run<TSimd, TVector>()
            where TSimd : struct, ISimd<TVector>
            where TVector : struct
        {
            Random random = new(6);
            float[] scores = Kernels.Random(random, Rows * PageTokens, 4);
            float[] scales = [.. Kernels.Random(random, PageTokens).Select(value => 0.1f + MathF.Abs(value))];
            (short[] expected, float expectedScale) = FirstRow<TSimd, TVector>(scores, scales);
            scales[FirstLength] = 100;

            (short[] weights, float scale) = FirstRow<TSimd, TVector>(scores, scales);

            Assert.Equal(expected, weights);
            Assert.Equal(expectedScale, scale);
        }

        private static (short[] Weights, float Scale) FirstRow<TSimd, TVector>(float[] scores, float[] scales)
            where TSimd : struct, ISimd<TVector>
            where TVector : struct
        {
            int padded = PageSoftmax<TSimd, TVector>.PaddedCount(Rows);
            float[] scratch = new float[PageSoftmax<TSimd, TVector>.ScratchLength(Rows)];
            float[] maxima = [.. Enumerable.Repeat(PageSoftmax<TSimd, TVector>.NoScore, padded)];
            float[] sums = new float[padded];
            fixed (float* memory = scratch, m = maxima, s = sums, v = scales)
            {
                var softmax = PageSoftmax<TSimd, TVector>.Create(memory, Rows);
                scores.CopyTo(new Span<float>(softmax.Scores, Rows * PageTokens));
                softmax.SetValueScales(v, FirstLength + Rows - 1);
                softmax.Weigh(Rows, FirstLength, int.MaxValue, m, s);
                return ([.. new ReadOnlySpan<short>(softmax.Weights, FirstLength)], softmax.Scales[0]);
            }
        }
    }
}
