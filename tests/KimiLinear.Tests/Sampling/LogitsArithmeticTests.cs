using KimiLinear.Sampling;
using Xunit;

namespace KimiLinear.Tests.Sampling;

public sealed class LogitsArithmeticTests
{
    // Lengths around the vector widths of every machine: whole vectors, a tail, both, neither.
    public static TheoryData<int> Lengths() => [1, 3, 7, 8, 9, 16, 31, 32, 33, 100];

    [Theory]
    [MemberData(nameof(Lengths))]
    public void MaxAndIndexOf_EveryPosition_FindTheFirstHighest(int length)
    {
        for (int position = 0; position < length; position++)
        {
            float[] logits = [.. Enumerable.Repeat(-5f, length)];
            logits[position] = logits[length - 1] = 2.5f;

            Assert.Equal(2.5f, LogitsArithmetic.Max(logits));
            Assert.Equal(position, LogitsArithmetic.IndexOf(logits, 2.5f));
            Assert.Equal(-1, LogitsArithmetic.IndexOf(logits, 3));
        }
    }

    [Theory]
    [MemberData(nameof(Lengths))]
    public void IndexOfNaN_EveryPosition_FindsTheFirst(int length)
    {
        for (int position = 0; position < length; position++)
        {
            float[] logits = new float[length];
            Assert.Equal(-1, LogitsArithmetic.IndexOfNaN(logits));

            logits[position] = logits[length - 1] = float.NaN;
            Assert.Equal(position, LogitsArithmetic.IndexOfNaN(logits));
        }
    }

    [Theory]
    [MemberData(nameof(Lengths))]
    public void Exponentials_AnyLength_MatchTheScalarFormula(int length)
    {
        float[] logits = [.. Enumerable.Range(0, length).Select(i => 30 - (i * 0.8f))];
        float[] weights = new float[length];

        LogitsArithmetic.Exponentials(logits, 30, weights);

        for (int i = 0; i < length; i++)
        {
            double expected = Math.Exp((double)(logits[i] - 30));
            Assert.Equal(expected, weights[i], expected * 2e-7);
        }
    }

    [Fact]
    public void Exponentials_MaskedLogits_WeighNothing()
    {
        float[] logits = [.. Enumerable.Repeat(float.NegativeInfinity, 40)];
        logits[20] = 1;

        LogitsArithmetic.Exponentials(logits, 1, logits);

        Assert.Equal(1, logits[20]);
        Assert.Equal(1, logits.Sum());
    }

    [Fact]
    public void Exponentials_DemandedLogits_ShareTheWeightAmongThemselves()
    {
        float[] logits = [.. Enumerable.Repeat(5f, 40)];
        logits[3] = logits[38] = float.PositiveInfinity;

        LogitsArithmetic.Exponentials(logits, float.PositiveInfinity, logits);

        Assert.Equal([3, 38], Enumerable.Range(0, 40).Where(i => logits[i] == 1));
        Assert.Equal(2, logits.Sum());
    }

    [Theory]
    [MemberData(nameof(Lengths))]
    public void LogSumExp_EqualLogits_IsTheirValuePlusTheLogarithmOfTheirCount(int length)
    {
        float[] logits = [.. Enumerable.Repeat(1000f, length)];

        Assert.Equal(1000 + Math.Log(length), LogitsArithmetic.LogSumExp(logits), 1e-9);
    }

    [Fact]
    public void LogSumExp_AllMasked_IsNegativeInfinity() =>
        Assert.Equal(double.NegativeInfinity, LogitsArithmetic.LogSumExp([float.NegativeInfinity, float.NegativeInfinity]));
}
