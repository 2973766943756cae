using System.Numerics;
using KimiLinear.Sampling;
using Xunit;

namespace KimiLinear.Tests.Sampling;

public sealed class VectorExponentialTests
{
    [Fact]
    public void Exp_WholeRange_StaysWithinTheStatedError()
    {
        for (float x = 0; x > -87.3f; x -= 0.0037f)
        {
            double expected = Math.Exp(x);

            Assert.Equal(expected, VectorExponential.Exp(x), expected * 2e-7);
        }
    }

    [Theory]
    [InlineData(0f, 1f)]
    [InlineData(-88f, 0f)]
    [InlineData(-1e30f, 0f)]
    [InlineData(float.NegativeInfinity, 0f)]
    public void Exp_SpecialValues_AreExact(float x, float expected) => Assert.Equal(expected, VectorExponential.Exp(x));

    [Fact]
    public void Exp_LanesOfAVector_EqualTheScalars()
    {
        float[] values = [.. Enumerable.Range(0, Vector<float>.Count).Select(i => -1.7f * i)];

        Vector<float> results = VectorExponential.Exp(new Vector<float>(values));

        Assert.All(Enumerable.Range(0, values.Length), i => Assert.Equal(VectorExponential.Exp(values[i]), results[i]));
    }
}
