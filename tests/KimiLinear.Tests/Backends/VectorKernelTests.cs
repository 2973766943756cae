using KimiLinear.Backends;
using Xunit;

namespace KimiLinear.Tests.Backends;

/// <summary>Row operations of every length from 1 to 70 against double precision.</summary>
public sealed unsafe class VectorKernelTests
{
    private const int MaxLength = 70;

    public static TheoryData<string> Widths => Kernels.Widths;

    [Theory]
    [MemberData(nameof(Widths))]
    public void EveryOperation_AnyLength_MatchesDoublePrecision(string width) => Kernels.Run(width, new LengthsCheck());

    [Theory]
    [MemberData(nameof(Widths))]
    public void LogDecay_GoldenGate_MatchesInVectorsAndTails(string width) => Kernels.Run(width, new GateCheck());

    [Theory]
    [MemberData(nameof(Widths))]
    public void Activations_HugeValues_StayFinite(string width) => Kernels.Run(width, new HugeCheck());

    private static void Close(double expected, float actual, double scale = 1)
    {
        double tolerance = 4e-6 * Math.Max(scale, Math.Abs(expected));
        Assert.InRange(actual, expected - tolerance, expected + tolerance);
    }

    private sealed class LengthsCheck : IKernelCheck
    {
        public void Run<TSimd, TVector>()
            where TSimd : struct, ISimd<TVector>
            where TVector : struct
        {
            Random random = new(3);
            for (int length = 1; length <= MaxLength; length++)
            {
                float[] x = Kernels.Random(random, length, 4);
                float[] y = Kernels.Random(random, length, 4);
                float[] a = [.. Kernels.Random(random, length, 4).Select(value => value - 8)];
                float[] b = Kernels.Random(random, length, 4);
                fixed (float* px = x, py = y, pa = a, pb = b)
                {
                    CheckReductions<TSimd, TVector>(px, py, pa, pb, length);
                    CheckNorm<TSimd, TVector>(px, py, length);
                    CheckActivations<TSimd, TVector>(px, py, length);
                    CheckConvolution<TSimd, TVector>(random, length);
                    CheckWeightedSum<TSimd, TVector>(random, length);
                }
            }
        }

        private static void CheckReductions<TSimd, TVector>(float* x, float* y, float* a, float* b, int length)
            where TSimd : struct, ISimd<TVector>
            where TVector : struct
        {
            (double squares, double dot, double exponentials, float max) = (0, 0, 0, float.NegativeInfinity);
            float[] scaled = new float[length];
            for (int i = 0; i < length; i++)
            {
                squares += (double)x[i] * x[i];
                dot += x[i] * y[i] * Math.Exp((double)a[i] - b[i]);
                exponentials += Math.Exp((x[i] * 0.5) - 3);
                max = MathF.Max(max, x[i]);
                scaled[i] = x[i];
            }

            Close(squares, VectorKernel<TSimd, TVector>.SumOfSquares(x, length));
            Close(dot, VectorKernel<TSimd, TVector>.DotExpDifference(x, y, a, b, length));
            Assert.Equal(max, VectorKernel<TSimd, TVector>.Max(x, length));
            fixed (float* p = scaled)
            {
                Close(exponentials, VectorKernel<TSimd, TVector>.ExpSum(p, 0.5f, 3, length));
                VectorKernel<TSimd, TVector>.MultiplyExpDifference(x, a, b, p, length);
                for (int i = 0; i < length; i++)
                {
                    Close(x[i] * Math.Exp((double)a[i] - b[i]), p[i]);
                }
            }
        }

        private static void CheckNorm<TSimd, TVector>(float* x, float* weight, int length)
            where TSimd : struct, ISimd<TVector>
            where TVector : struct
        {
            double squares = 0;
            for (int i = 0; i < length; i++)
            {
                squares += (double)x[i] * x[i];
            }

            float* normed = stackalloc float[MaxLength];
            VectorKernel<TSimd, TVector>.RmsNorm(x, weight, 1e-5f, normed, length);
            for (int i = 0; i < length; i++)
            {
                Close(weight[i] * x[i] / Math.Sqrt((squares / length) + 1e-5), normed[i]);
            }
        }

        private static void CheckActivations<TSimd, TVector>(float* x, float* y, int length)
            where TSimd : struct, ISimd<TVector>
            where TVector : struct
        {
            float* silu = stackalloc float[MaxLength];
            float* gated = stackalloc float[MaxLength];
            for (int i = 0; i < length; i++)
            {
                silu[i] = gated[i] = x[i];
            }

            VectorKernel<TSimd, TVector>.SiluMultiply(silu, y, length);
            VectorKernel<TSimd, TVector>.SigmoidMultiply(gated, y, length);
            for (int i = 0; i < length; i++)
            {
                Close(x[i] / (1 + Math.Exp(-x[i])) * y[i], silu[i]);
                Close(x[i] / (1 + Math.Exp(-y[i])), gated[i]);
            }
        }

        private static void CheckConvolution<TSimd, TVector>(Random random, int length)
            where TSimd : struct, ISimd<TVector>
            where TVector : struct
        {
            const int Taps = 4;
            float[] inputs = Kernels.Random(random, Taps * length);
            float[] taps = Kernels.Random(random, Taps * length);
            float* y = stackalloc float[MaxLength];
            float** rows = stackalloc float*[Taps];
            fixed (float* input = inputs, kernel = taps)
            {
                for (int tap = 0; tap < Taps; tap++)
                {
                    rows[tap] = input + (tap * length);
                }

                VectorKernel<TSimd, TVector>.Convolve(rows, kernel, length, Taps, y, length);
            }

            for (int i = 0; i < length; i++)
            {
                double sum = Enumerable.Range(0, Taps).Sum(tap => (double)inputs[(tap * length) + i] * taps[(tap * length) + i]);
                Close(sum / (1 + Math.Exp(-sum)), y[i]);
            }
        }

        private static void CheckWeightedSum<TSimd, TVector>(Random random, int length)
            where TSimd : struct, ISimd<TVector>
            where TVector : struct
        {
            int rowCount = length % 7;
            float[] weights = Kernels.Random(random, rowCount + 1);
            float[] rows = Kernels.Random(random, (rowCount + 1) * (length + 3));
            float[] y = Kernels.Random(random, length);
            float[] before = [.. y];
            fixed (float* w = weights, r = rows, p = y)
            {
                VectorKernel<TSimd, TVector>.WeightedSum(w, r, length + 3, rowCount, 0.5f, p, length);
            }

            for (int i = 0; i < length; i++)
            {
                double sum = Enumerable.Range(0, rowCount).Sum(s => (double)weights[s] * rows[(s * (length + 3)) + i]);
                Close((before[i] * 0.5) + sum, y[i]);
            }
        }
    }

    // The values of an independent float64 computation: A_log 0.7.
    private sealed class GateCheck : IKernelCheck
    {
        private static readonly float[] Inputs = [-3, 0, 2.5f, 25];
        private static readonly float[] Biases = [0.1f, -0.2f, 0.3f, 0];
        private static readonly double[] Expected = [-0.1078621856, -1.2045037677, -5.7573850947, -50.3438176868];

        public void Run<TSimd, TVector>()
            where TSimd : struct, ISimd<TVector>
            where TVector : struct
        {
            for (int length = 1; length <= MaxLength; length++)
            {
                float[] x = [.. Enumerable.Range(0, length).Select(i => Inputs[i % 4])];
                float[] bias = [.. Enumerable.Range(0, length).Select(i => Biases[i % 4])];
                fixed (float* px = x, pb = bias)
                {
                    VectorKernel<TSimd, TVector>.LogDecay(px, pb, MathF.Exp(0.7f), length);
                }

                for (int i = 0; i < length; i++)
                {
                    Close(Expected[i % 4], x[i], 0);
                }
            }
        }
    }

    private sealed class HugeCheck : IKernelCheck
    {
        private static readonly float[] Values =
            [-1e30f, -500, -104, -90, -88, -1e-30f, 0, 1e-30f, 88, 90, 104, 500, 1e30f, -1e4f, 1e4f, 1, -1];

        public void Run<TSimd, TVector>()
            where TSimd : struct, ISimd<TVector>
            where TVector : struct
        {
            int length = Values.Length;
            float[] silu = [.. Values];
            float[] ones = [.. Values.Select(_ => 1f)];
            float[] sigmoid = [.. ones];
            float[] decay = [.. Values];
            float[] zeros = new float[length];
            fixed (float* ps = silu, po = ones, pg = sigmoid, pd = decay, pz = zeros)
            {
                fixed (float* values = Values)
                {
                    VectorKernel<TSimd, TVector>.SigmoidMultiply(pg, values, length);
                }

                VectorKernel<TSimd, TVector>.SiluMultiply(ps, po, length);
                VectorKernel<TSimd, TVector>.LogDecay(pd, pz, 1, length);
            }

            for (int i = 0; i < length; i++)
            {
                double x = Values[i];
                Close(x / (1 + Math.Exp(-x)), silu[i]);
                Close(1 / (1 + Math.Exp(-x)), sigmoid[i]);
                Close(-(Math.Max(x, 0) + double.LogP1(Math.Exp(-Math.Abs(x)))), decay[i]);
            }
        }
    }
}
