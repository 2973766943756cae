using KimiLinear.Generation;
using Xunit;

namespace KimiLinear.Tests.Generation;

public sealed class GenerationTimingsTests
{
    [Fact]
    public void TokensPerSecond_KnownDurations_DivideTokensByTime()
    {
        var timings = new GenerationTimings
        {
            PromptTokenCount = 100,
            GeneratedTokenCount = 21,
            TimeToFirstToken = TimeSpan.FromSeconds(0.5),
            DecodeDuration = TimeSpan.FromSeconds(4),
        };

        Assert.Equal(200, timings.PrefillTokensPerSecond);
        Assert.Equal(5, timings.DecodeTokensPerSecond);
    }

    [Fact]
    public void DecodeTokensPerSecond_OneToken_IsZero()
    {
        var timings = new GenerationTimings
        {
            PromptTokenCount = 1,
            GeneratedTokenCount = 1,
            TimeToFirstToken = TimeSpan.FromSeconds(1),
            DecodeDuration = TimeSpan.Zero,
        };

        Assert.Equal(0, timings.DecodeTokensPerSecond);
    }
}
