using TorchSharp;
using F = TorchSharp.torch.nn.functional;

namespace KimiLinear.Backends;

/// <summary>Operations with a number in them, whose numbers live as long as the process.</summary>
/// <remarks>
/// TorchSharp makes an object of every number it passes on, even the 1 in <c>a.add(b)</c>, and does not keep it alive during the
/// call: a garbage collection at the wrong moment frees it while libtorch reads it. Seen once as "INTERNAL ASSERT FAILED at
/// Scalar.h", in four tests of one run; where the freed memory still holds a number, nothing is seen at all. So no operator of ours calls
/// what makes such an object: numbers are these, or fields of the backend.
/// </remarks>
internal static class TorchArithmetic
{
    /// <summary>−∞.</summary>
    public static readonly Scalar NegativeInfinity = float.NegativeInfinity;

    /// <summary>1.</summary>
    public static readonly Scalar One = 1f;

    private static readonly Scalar MinusOne = -1f;

    /// <summary>a + b.</summary>
    public static torch.Tensor Plus(this torch.Tensor a, torch.Tensor b) => a.add(b, One);

    /// <summary>a − b.</summary>
    public static torch.Tensor Minus(this torch.Tensor a, torch.Tensor b) => a.add(b, MinusOne);

    /// <summary>a ← a + b.</summary>
    public static void Increase(this torch.Tensor a, torch.Tensor b) => a.add_(b, One);

    /// <summary>x².</summary>
    public static torch.Tensor Square(this torch.Tensor x) => x.mul(x);

    /// <summary>ln(1 + eˣ) = max(x, 0) + ln(1 + e^−|x|), which overflows nowhere.</summary>
    public static torch.Tensor Softplus(this torch.Tensor x) => F.relu(x).Plus(x.abs().neg().exp().log1p());
}
