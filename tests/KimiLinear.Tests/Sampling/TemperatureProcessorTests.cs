using KimiLinear.Sampling;
using Xunit;

namespace KimiLinear.Tests.Sampling;

public sealed class TemperatureProcessorTests
{
    [Theory]
    [InlineData(0.5f, new[] { -4f, 0, -2 })]
    [InlineData(2f, new[] { -1f, 0, -0.5f })]
    public void Process_ThreeLogits_DividesTheirDistancesFromTheHighest(float temperature, float[] expected) =>
        Assert.Equal(expected, ProcessorHarness.Run(new TemperatureProcessor(temperature), [1, 3, 2]));

    [Fact]
    public void Process_LongerThanAVector_TreatsTheTailAlike()
    {
        float[] logits = [.. Enumerable.Range(0, 37).Select(i => (float)i)];

        float[] processed = ProcessorHarness.Run(new TemperatureProcessor(4), logits);

        Assert.Equal(logits.Select(logit => (logit - 36) / 4), processed);
    }

    [Fact]
    public void Process_SmallestTemperature_LeavesOneHighest()
    {
        const float Masked = ProcessorHarness.Masked;

        Assert.Equal([Masked, 0, Masked], ProcessorHarness.Run(new TemperatureProcessor(float.Epsilon), [4, 5, Masked]));
    }

    [Fact]
    public void Process_ForbiddenAndDemandedTokens_StayWhatTheyAre()
    {
        float[] logits = [float.PositiveInfinity, 1, ProcessorHarness.Masked];

        Assert.Equal(logits, ProcessorHarness.Run(new TemperatureProcessor(0.7f), logits));
    }

    [Fact]
    public void Process_EverythingForbidden_WritesNoNaN()
    {
        float[] logits = [ProcessorHarness.Masked, ProcessorHarness.Masked];

        Assert.Equal(logits, ProcessorHarness.Run(new TemperatureProcessor(0.7f), logits));
    }
}
