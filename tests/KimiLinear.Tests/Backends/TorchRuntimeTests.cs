using KimiLinear.Backends;
using Xunit;

namespace KimiLinear.Tests.Backends;

public sealed class TorchRuntimeTests
{
    [Fact]
    public void Load_PackagesOfTheTests_ComputesWithLibtorch()
    {
        TorchRuntime.Load(null);

        Assert.Equal(2f, TorchProbe.AddOnCpu());
    }
}
