using System.Runtime.CompilerServices;
using TorchSharp;

namespace KimiLinear.Backends;

/// <summary>The first use of TorchSharp: whatever is still wrong shows here.</summary>
internal static class TorchProbe
{
    /// <summary>Adds two numbers.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static float AddOnCpu()
    {
        using torch.Tensor one = torch.ones(1);
        using torch.Tensor sum = one + one;
        return sum.item<float>();
    }
}
