using GpuSelfTest;
using Xunit;

namespace KimiLinear.Kernels.Tests;

/// <summary>The self test for GPUs runs these very tests; here it is the one that is looked at.</summary>
public sealed class EmulatedKernelChecksTests
{
    [Fact]
    public void RunClass_TestsThatPass_AreAllRun()
    {
        Figures figures = new();

        string detail = KernelChecks.RunClass(typeof(LatentAttentionTests), figures);

        Assert.Equal("14 checks", detail);
        Assert.Equal((14, 0), ((int)figures.Values["checks"], (int)figures.Values["failures"]));
    }

    [Fact]
    public void RunClass_TestsThatFail_AreCountedAndTheFirstIsTold()
    {
        Figures figures = new();

        InvalidOperationException exception = Assert.Throws<InvalidOperationException>(
            () => KernelChecks.RunClass(typeof(Failing), figures));

        Assert.StartsWith("2 of 3 checks failed; the first: One(1, 2, 3): ", exception.Message, StringComparison.Ordinal);
        Assert.Equal((3, 2), ((int)figures.Values["checks"], (int)figures.Values["failures"]));
    }

    // Not seen by the runner of this project, because it is nested in a class and not public.
#pragma warning disable xUnit1000
    private sealed class Failing
#pragma warning restore xUnit1000
    {
        [Theory]
        [InlineData(1, 2, 3)]
        [InlineData(0)]
        [InlineData(3, 4)]
        public void One(int number, params int[] rest) => Assert.Equal(number, rest.Length);
    }
}
