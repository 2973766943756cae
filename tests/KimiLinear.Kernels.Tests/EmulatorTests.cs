using System.Runtime.InteropServices;
using KimiLinear.Backends;
using KimiLinear.Tests.Backends.Cuda;
using Xunit;

namespace KimiLinear.Kernels.Tests;

/// <summary>What the emulation is for: it sees kernels that a GPU would run into the dark with.</summary>
public sealed unsafe class EmulatorTests
{
    [Theory]
    [InlineData("fault_divergent_shuffle", 32, 0, "threads wait")]
    [InlineData("fault_divergent_barrier", 64, 0, "threads wait")]
    [InlineData("fault_shared_overflow", 32, 128, "wrote behind its 128 bytes")]
    [InlineData("fault_race", 96, 256, "more threads")]
    public void Run_KernelWithAFault_SaysWhich(string entry, int threads, int sharedBytes, string expected)
    {
        float[] values = new float[64];

        Assert.Contains(expected, Run(entry, threads, sharedBytes, values, 0), StringComparison.Ordinal);
    }

    [Fact]
    public void Run_KernelWithARace_DependsOnTheOrder()
    {
        float[] ascending = new float[64];
        float[] descending = new float[64];

        Assert.Null(Run("fault_race", 64, 256, ascending, 0));
        Assert.Null(Run("fault_race", 64, 256, descending, 1));

        Assert.Contains(float.NaN, ascending);
        Assert.NotEqual(ascending, descending);
    }

    [Fact]
    public void Exponential_ManyValues_IsWithinTwoUnits()
    {
        var exponential = (delegate* unmanaged<float, float>)Emulator.Find("exponential_of");
        for (float x = -104; x < 89; x += 0.00137f)
        {
            double exact = Math.Exp(x);
            float nearest = (float)exact;
            double unit = MathF.BitIncrement(nearest) - nearest;

            float actual = exponential(x);

            Assert.True(nearest == actual || Math.Abs(actual - exact) <= 2 * unit, $"e^{x:R} is {exact:R}, not {actual:R}");
        }
    }

    [Fact]
    public void Exponential_Edges_AreThoseOfTheFunction()
    {
        var exponential = (delegate* unmanaged<float, float>)Emulator.Find("exponential_of");

        Assert.Equal(1, exponential(0));
        Assert.Equal(0, exponential(float.NegativeInfinity));
        Assert.Equal(0, exponential(-1000));
        Assert.Equal(float.PositiveInfinity, exponential(float.PositiveInfinity));
        Assert.Equal(float.PositiveInfinity, exponential(89));
        Assert.True(float.IsNaN(exponential(float.NaN)));
        Assert.Equal(float.Epsilon, exponential(-103.5f));
    }

    [Fact]
    public void PowerOfTwo_UpToZero_IsWithinTwoUnits()
    {
        var powerOfTwo = (delegate* unmanaged<float, float>)Emulator.Find("power_of_two_of");
        for (float x = -126; x <= 0; x += 0.00137f)
        {
            double exact = Math.Pow(2, x);
            float nearest = (float)exact;
            double unit = MathF.BitIncrement(nearest) - nearest;

            float actual = powerOfTwo(x);

            Assert.True(nearest == actual || Math.Abs(actual - exact) <= 2 * unit, $"2^{x:R} is {exact:R}, not {actual:R}");
        }

        Assert.Equal(1, powerOfTwo(0));
        Assert.Equal(0.5f, powerOfTwo(-1));
        Assert.Equal(0, powerOfTwo(float.NegativeInfinity));
        Assert.Equal(0, powerOfTwo(-127));
        Assert.True(float.IsNaN(powerOfTwo(float.NaN)));
        Assert.True(float.IsNaN(powerOfTwo(BitConverter.UInt32BitsToSingle(0x7FFFFFFF))));
    }

    [Fact]
    public void Softplus_ManyValues_KeepsItsPrecisionWhereItIsSmall()
    {
        var softplus = (delegate* unmanaged<float, float>)Emulator.Find("softplus_of");
        for (float x = -90; x < 90; x += 0.0113f)
        {
            // .NET has no ln(1 + y) that keeps a small y; the series does.
            double y = Math.Exp(x);
            double exact = y < 1e-4 ? y - (y * y / 2) + (y * y * y / 3) : Math.Log(1 + y);

            // Below the normal numbers precision is counted in whole units.
            Assert.Equal(exact, softplus(x), (exact * 5e-7) + (3 * float.Epsilon));
        }
    }

    [Fact]
    public void Sigmoid_ManyValues_IsExactToRounding()
    {
        var sigmoid = (delegate* unmanaged<float, float>)Emulator.Find("sigmoid_of");
        for (float x = -80; x < 80; x += 0.0113f)
        {
            double exact = Exact.Sigmoid(x);

            Assert.Equal(exact, sigmoid(x), exact * 5e-7);
        }

        Assert.Equal(0, sigmoid(float.NegativeInfinity));
        Assert.Equal(1, sigmoid(float.PositiveInfinity));
    }

    [Theory]
    [InlineData(0x3F808000u, 0x3F80)] // half way: to the even one
    [InlineData(0x3F818000u, 0x3F82)]
    [InlineData(0x3F808001u, 0x3F81)]
    [InlineData(0x7F7FFFFFu, 0x7F80)] // beyond the largest
    [InlineData(0x80000000u, 0x8000)]
    [InlineData(0xFF800000u, 0xFF80)]
    [InlineData(0x7F800001u, 0x7FC0)] // no number stays none
    public void ToBFloat16_Edges_RoundToNearestEven(uint bits, int expected)
    {
        var round = (delegate* unmanaged<float, ushort>)Emulator.Find("bfloat16_of");

        Assert.Equal(expected, round(BitConverter.UInt32BitsToSingle(bits)));
    }

    private static string? Run(string entry, int threads, int sharedBytes, float[] values, int order)
    {
        fixed (float* pointer = values)
        {
            byte[] arguments = new byte[sizeof(nint)];
            MemoryMarshal.Write(arguments, (nint)pointer);
            return Emulator.Run(new FakeLaunch(entry, new LaunchShape(1, 1, 1, threads, sharedBytes), arguments), order);
        }
    }
}
