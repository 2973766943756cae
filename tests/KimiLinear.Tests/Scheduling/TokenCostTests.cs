using KimiLinear.Scheduling;
using Xunit;

namespace KimiLinear.Tests.Scheduling;

/// <summary>What one token more in a step is taken to cost decides how much is guessed.</summary>
public sealed class TokenCostTests
{
    [Fact]
    public void ExtraMilliseconds_NothingLearnt_IsUnknown()
    {
        TokenCost cost = new();

        Assert.Null(cost.ExtraMilliseconds);
        Assert.Null(cost.MeanMilliseconds);
        Assert.Null(cost.StepMilliseconds);
    }

    [Theory]
    [InlineData(5, 0.5)]
    [InlineData(0.1, 1)]
    [InlineData(3, 0)]
    public void ExtraMilliseconds_StepsOfDifferentLengths_IsTheirSlope(double fixedMilliseconds, double perToken)
    {
        TokenCost cost = new();

        for (int i = 0; i < 100; i++)
        {
            int tokens = 1 + (i * 7 % 20);
            cost.Learn(tokens, fixedMilliseconds + (tokens * perToken));
        }

        Assert.Equal(perToken, cost.ExtraMilliseconds!.Value, 0.03);
    }

    [Fact]
    public void ExtraMilliseconds_EqualStepsOfManyTokens_IsNearlyTheMean()
    {
        TokenCost cost = new();

        for (int i = 0; i < 50; i++)
        {
            cost.Learn(64, 10);
        }

        Assert.Equal(10.0 / 64, cost.MeanMilliseconds!.Value, 1e-9);
        Assert.InRange(cost.ExtraMilliseconds!.Value, 0.85 * 10 / 64, 10.0 / 64);
    }

    [Fact]
    public void ExtraMilliseconds_EqualStepsOfOneToken_IsFarBelowTheMean()
    {
        TokenCost cost = new();

        for (int i = 0; i < 50; i++)
        {
            cost.Learn(1, 10);
        }

        Assert.InRange(cost.ExtraMilliseconds!.Value, 0, 2);
    }

    [Fact]
    public void ExtraMilliseconds_NoiseThatFallsWithTokens_IsNotBelowZero()
    {
        TokenCost cost = new();

        for (int i = 0; i < 50; i++)
        {
            cost.Learn(1 + (i % 2 * 30), 10 - (i % 2 * 9));
        }

        Assert.Equal(0, cost.ExtraMilliseconds);
    }

    [Fact]
    public void StepMilliseconds_StepsBecomeSlower_FollowsWithinAFewDozen()
    {
        TokenCost cost = new();
        cost.Learn(8, 1);

        for (int i = 0; i < 50; i++)
        {
            cost.Learn(8, 3);
        }

        Assert.Equal(3, cost.StepMilliseconds!.Value, 0.02);
    }
}
