using FsCheck;
using FsCheck.Fluent;
using KimiLinear.Sampling;
using Xunit;

namespace KimiLinear.Tests.Sampling;

public sealed class LogitRankingTests
{
    [Fact]
    public void Key_AnyTwoLogits_OrdersThemAsTheyAre()
    {
        Gen<float> logit = Gen.Choose(int.MinValue, int.MaxValue).Select(BitConverter.Int32BitsToSingle)
            .Where(x => !float.IsNaN(x));

        Prop.ForAll(
            Arb.From(logit.Two()),
            pair => LogitRanking.Key(pair.Item1).CompareTo(LogitRanking.Key(pair.Item2)) == (pair.Item1 == pair.Item2
                ? 0
                : pair.Item1.CompareTo(pair.Item2))).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void Key_BothZeros_IsTheSame() => Assert.Equal(LogitRanking.Key(0f), LogitRanking.Key(-0f));

    [Theory]
    [InlineData(0f)]
    [InlineData(1.5f)]
    [InlineData(-1.5f)]
    [InlineData(float.PositiveInfinity)]
    [InlineData(float.NegativeInfinity)]
    [InlineData(-float.Epsilon)]
    public void FromKey_KeyOfALogit_GivesItBack(float logit) =>
        Assert.Equal(logit, LogitRanking.FromKey(LogitRanking.Key(logit)));
}
