using TorchSharp;
using F = TorchSharp.torch.nn.functional;

namespace KimiLinear.Backends;

/// <summary>The numbers that matrix products multiply. Sums are float32 in either case.</summary>
internal enum TorchFactors
{
    /// <summary>Float32 as they are.</summary>
    Float32,

    /// <summary>
    /// Two bfloat16 numbers each, the value rounded and what that left rounded again, together within 2⁻¹⁷ of it: the factors
    /// that the CUDA kernels give to tensor cores where they take two parts. A weight in bfloat16 is one such number.
    /// </summary>
    BFloat16Pairs,
}

/// <summary>Every matrix product of the torch backend.</summary>
internal sealed class TorchProducts(TorchFactors factors)
{
    /// <summary>y = W x in float32; weights of another type are widened for it, which is exact.</summary>
    public torch.Tensor Project(torch.Tensor x, torch.Tensor weight) => F.linear(Factor(x), Factor(weight.to(torch.float32)));

    /// <summary>A·B.</summary>
    public torch.Tensor Multiply(torch.Tensor a, torch.Tensor b) => Factor(a).mm(Factor(b));

    /// <summary>A·B for each matrix of a batch.</summary>
    public torch.Tensor MultiplyEach(torch.Tensor a, torch.Tensor b) => Factor(a).bmm(Factor(b));

    // The sum of both parts is a float32 number exactly: 8 bits each, and a gap of at most one between them.
    private torch.Tensor Factor(torch.Tensor x)
    {
        if (factors == TorchFactors.Float32)
        {
            return x;
        }

        torch.Tensor high = Round(x);
        return high.Plus(Round(x.Minus(high)));
    }

    private static torch.Tensor Round(torch.Tensor x) => x.to(torch.bfloat16).to(torch.float32);
}
