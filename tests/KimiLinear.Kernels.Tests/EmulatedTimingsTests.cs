using GpuSelfTest;
using Xunit;

namespace KimiLinear.Kernels.Tests;

/// <summary>What the self test for GPUs times, on a small shape and the emulated device; the times mean nothing.</summary>
public sealed class EmulatedTimingsTests
{
    private static readonly TimingPlan Plan = new()
    {
        Shapes = ["tiny"],
        BatchSizes = [1, 3],
        ContextTokens = 70,
        PromptTokens = 20,
        LongContextTokens = 130,
        WarmUpSteps = 1,
        TimedSteps = 2,
        PromptRuns = 1,
    };

    [Fact]
    public void Run_SmallShape_TimesEveryStage()
    {
        List<string> names = [];
        Dictionary<string, IReadOnlyDictionary<string, double>> figures = [];
        EmulatedModel? emulated = null;
        Timings timings = new(
            Plan, config => (emulated = new EmulatedModel(config)).Model, TestContext.Current.CancellationToken);

        timings.Run((name, stage) =>
        {
            Figures values = new();
            stage(values);
            names.Add(name);
            figures[name] = values.Values;
        });

        Assert.Equal(
            [
                "timings: tiny, making it", "timings: tiny, decode of 1 at 70", "timings: tiny, decode of 3 at 70",
                "timings: tiny, prefill of 20", "timings: tiny, decode of 1 at 130",
            ],
            names);
        Assert.All(figures.Values, values => Assert.All(values.Values, value => Assert.True(value > 0)));
        Assert.True(
            figures[names[2]]["limit_tokens_per_second"] > figures[names[1]]["limit_tokens_per_second"],
            "Weights are read once for all.");
        emulated!.Dispose();
    }
}
