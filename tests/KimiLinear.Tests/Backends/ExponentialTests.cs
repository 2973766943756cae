using KimiLinear.Backends;
using Xunit;

namespace KimiLinear.Tests.Backends;

/// <summary>The exponential of every width beside the one in float64.</summary>
public sealed unsafe class ExponentialTests
{
    public static TheoryData<string> Widths => Kernels.Widths;

    [Theory]
    [MemberData(nameof(Widths))]
    public void Exp_AllMagnitudes_IsWithinAUnitOfTheLastPlace(string width) => Kernels.Run(width, new AccuracyCheck());

    [Theory]
    [MemberData(nameof(Widths))]
    public void Exp_LimitsAndNoNumber_AreWhatTheyShouldBe(string width) => Kernels.Run(width, new LimitCheck());

    private static float[] Exp<TSimd, TVector>(float[] values)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        float[] results = [.. values];
        fixed (float* x = results)
        {
            VectorKernel<TSimd, TVector>.Exp(x, results.Length);
        }

        return results;
    }

    private sealed class AccuracyCheck : IKernelCheck
    {
        public void Run<TSimd, TVector>()
            where TSimd : struct, ISimd<TVector>
            where TVector : struct
        {
            // From the smallest subnormal result to the largest finite one, and near zero.
            float[] values =
            [
                .. Enumerable.Range(0, 1 << 16).Select(i => -103.9f + (i * (192.6f / (1 << 16)))),
                .. Enumerable.Range(0, 1 << 10).Select(i => (i - 512) * 1e-5f),
            ];

            float[] results = Exp<TSimd, TVector>(values);

            for (int i = 0; i < values.Length; i++)
            {
                double exact = Math.Exp(values[i]);
                double unit = MathF.BitIncrement((float)exact) - (float)exact;
                Assert.InRange(results[i] - exact, -unit, unit);
            }
        }
    }

    private sealed class LimitCheck : IKernelCheck
    {
        public void Run<TSimd, TVector>()
            where TSimd : struct, ISimd<TVector>
            where TVector : struct
        {
            foreach ((float value, float expected) in ((float, float)[])
                [
                    (0, 1), (-0f, 1), (float.Epsilon, 1), (-1e-30f, 1),
                    (89, float.PositiveInfinity), (1e30f, float.PositiveInfinity), (float.PositiveInfinity, float.PositiveInfinity),
                    (-104, 0), (-1e30f, 0), (float.NegativeInfinity, 0), (float.NaN, float.NaN),
                ])
            {
                Assert.All(Exp<TSimd, TVector>([.. Enumerable.Repeat(value, 16)]), result => Assert.Equal(expected, result));
            }
        }
    }
}
