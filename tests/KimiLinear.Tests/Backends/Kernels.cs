using System.Runtime.Intrinsics;
using KimiLinear.Backends;
using Xunit;

namespace KimiLinear.Tests.Backends;

/// <summary>The kernels in every width that this machine has.</summary>
internal static class Kernels
{
    public static TheoryData<string> Widths =>
        new(Enum.GetValues<SimdWidth>()
            .Where(width => width <= CpuBackends.Widest && width != SimdWidth.Bits512Vnni)
            .Select(width => width.ToString()));

    public static void Run(string width, IKernelCheck check)
    {
        switch (Enum.Parse<SimdWidth>(width))
        {
            case SimdWidth.Scalar:
                check.Run<SimdScalar, float>();
                break;
            case SimdWidth.Bits128:
                check.Run<Simd128, Vector128<float>>();
                break;
            case SimdWidth.Bits256:
                check.Run<Simd256, Vector256<float>>();
                break;
            default:
                check.Run<Simd512, Vector512<float>>();
                break;
        }
    }

    /// <summary>
    /// The widths the kernels for quantised weights can be tested in: 128 bits also where the runtime has to do without vector
    /// instructions, in its portable form.
    /// </summary>
    public static TheoryData<string> IntegerWidths => new(
        AllIntegerWidths.Where(width => width != SimdWidth.Bits512Vnni).Select(width => width.ToString()));

    /// <summary>The same for <see cref="CpuBackends.IntegersOf"/>, which may have other kernels with the same vectors.</summary>
    public static TheoryData<string> IntegerKernels => new(AllIntegerWidths.Select(width => width.ToString()));

    private static IEnumerable<SimdWidth> AllIntegerWidths =>
        Enum.GetValues<SimdWidth>().Where(width => width <= CpuBackends.Widest || width == SimdWidth.Bits128);

    public static void Run(string width, IIntegerKernelCheck check)
    {
        switch (Enum.Parse<SimdWidth>(width))
        {
            case SimdWidth.Scalar:
                check.Run<SimdScalar, float, IntegerScalar, int>();
                break;
            case SimdWidth.Bits128:
                check.Run<Simd128, Vector128<float>, Integer128, Vector128<int>>();
                break;
            case SimdWidth.Bits256:
                check.Run<Simd256, Vector256<float>, Integer256, Vector256<int>>();
                break;
            default:
                check.Run<Simd512, Vector512<float>, Integer512, Vector512<int>>();
                break;
        }
    }

    public static float[] Random(Random random, int length, float scale = 1)
    {
        float[] values = new float[length];
        foreach (ref float value in values.AsSpan())
        {
            value = ((random.NextSingle() * 2) - 1) * scale;
        }

        return values;
    }
}
