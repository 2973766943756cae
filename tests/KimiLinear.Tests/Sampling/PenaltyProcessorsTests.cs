using KimiLinear.Sampling;
using Xunit;

namespace KimiLinear.Tests.Sampling;

public sealed class PenaltyProcessorsTests
{
    [Fact]
    public void RepetitionPenalty_PromptAndReply_WeakensEachSeenTokenOnce()
    {
        var processor = new RepetitionPenaltyProcessor(2, 5);

        float[] processed = ProcessorHarness.Run(processor, [4, -4, 4, -4, 0], prompt: [0, 0, 4], generated: [1, 1, 1]);

        Assert.Equal([2, -8, 4, -4, 0], processed);
    }

    [Fact]
    public void RepetitionPenalty_ReplyGrows_AddsTheNewTokens()
    {
        var processor = new RepetitionPenaltyProcessor(2, 3);

        Assert.Equal([0.5f, 1, 1], ProcessorHarness.Run(processor, [1, 1, 1], prompt: [0]));
        Assert.Equal([0.5f, 1, 0.5f], ProcessorHarness.Run(processor, [1, 1, 1], prompt: [0], generated: [2]));
        Assert.Equal([0.5f, 0.5f, 0.5f], ProcessorHarness.Run(processor, [1, 1, 1], prompt: [0], generated: [2, 1]));
    }

    [Fact]
    public void RepetitionPenalty_ForbiddenToken_StaysForbidden() =>
        Assert.Equal(
            [ProcessorHarness.Masked, 1],
            ProcessorHarness.Run(new RepetitionPenaltyProcessor(1.5f, 2), [ProcessorHarness.Masked, 1], prompt: [0]));

    [Fact]
    public void FrequencyPenalty_GeneratedTokens_LosePerOccurrence()
    {
        var processor = new CountPenaltyProcessor(0.5f, 0, 4);

        float[] processed = ProcessorHarness.Run(processor, [1, 1, 1, 1], prompt: [0, 0], generated: [1, 2, 1, 1]);

        Assert.Equal([1, -0.5f, 0.5f, 1], processed);
    }

    [Fact]
    public void PresencePenalty_GeneratedTokens_LoseOnce()
    {
        var processor = new CountPenaltyProcessor(0, 0.75f, 4);

        float[] processed = ProcessorHarness.Run(processor, [1, 1, 1, 1], prompt: [0, 0], generated: [1, 2, 1, 1]);

        Assert.Equal([1, 0.25f, 0.25f, 1], processed);
    }

    [Fact]
    public void CountPenalty_Both_AddUp() =>
        Assert.Equal(
            [1.5f, 10],
            ProcessorHarness.Run(new CountPenaltyProcessor(2, -0.5f, 2), [5, 10], generated: [0, 0]));

    [Fact]
    public void CountPenalty_ReplyGrows_CountsEachTokenOnce()
    {
        var processor = new CountPenaltyProcessor(1, 0, 2);

        Assert.Equal([0, 0], ProcessorHarness.Run(processor, [0, 0]));
        Assert.Equal([-1, 0], ProcessorHarness.Run(processor, [0, 0], generated: [0]));
        Assert.Equal([-2, 0], ProcessorHarness.Run(processor, [0, 0], generated: [0, 0]));
        Assert.Equal([-2, -1], ProcessorHarness.Run(processor, [0, 0], generated: [0, 0, 1]));
    }

    [Fact]
    public void LogitBias_FiniteAndInfinite_AddsForbidsAndDemands()
    {
        var bias = new Dictionary<int, float> { [0] = 2, [2] = float.NegativeInfinity, [3] = float.PositiveInfinity };

        float[] processed = ProcessorHarness.Run(new LogitBiasProcessor(bias), [1, 1, 1, ProcessorHarness.Masked]);

        Assert.Equal([3, 1, ProcessorHarness.Masked, float.PositiveInfinity], processed);
    }
}
