using KimiLinear.Generation;
using KimiLinear.Sampling;
using Microsoft.Extensions.AI;
using Xunit;

namespace KimiLinear.Extensions.AI.Tests;

/// <summary>The options that change which tokens are drawn, one by one.</summary>
public sealed class SamplingOptionTests(TinyModel tiny)
{
    private const string Story = "Tell me a story about a blue bear.";

    [Fact]
    public async Task NoOptions_TwoRequests_Differ()
    {
        // The model recommends a temperature of 0.6; one story in eight being different is certain enough.
        string[] stories = await Task.WhenAll(
            Enumerable.Range(0, 8).Select(async _ => (await tiny.Client.GetResponseAsync(Story)).Text));

        Assert.True(stories.Distinct().Count() > 1);
    }

    [Fact]
    public async Task Temperature_Zero_IsGreedy()
    {
        string text = await AskAsync(new ChatOptions { Temperature = 0 });

        Assert.Equal(
            "Once upon a time there was a blue bear named Yara. One day Yara went to the kitchen and found a umbrella. "
            + "The bear took the umbrella home and was very happy. The end.",
            text);
    }

    [Fact]
    public async Task Temperature_Unset_IsTheModels() =>
        Assert.Equal(await AskAsync(new() { Seed = 5, Temperature = 0.6f }), await AskAsync(new() { Seed = 5 }));

    [Fact]
    public async Task Temperature_High_ChangesTheReply() =>
        Assert.NotEqual(await AskAsync(new() { Seed = 5, Temperature = 0.6f }),
            await AskAsync(new() { Seed = 5, Temperature = 3 }));

    [Theory]
    [InlineData(-0.1f)]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public async Task Temperature_OutOfRange_IsRefused(float value) =>
        await RefuseAsync(new() { Temperature = value }, nameof(ChatOptions.Temperature));

    [Fact]
    public async Task TopP_Tiny_IsGreedy() =>
        Assert.Equal(await AskAsync(new() { Temperature = 0 }), await AskAsync(new() { Temperature = 2, TopP = 0.0001f }));

    [Fact]
    public async Task TopP_One_ChangesNothing() =>
        Assert.Equal(await AskAsync(new() { Temperature = 2, Seed = 3 }),
            await AskAsync(new() { Temperature = 2, Seed = 3, TopP = 1 }));

    [Theory]
    [InlineData(0f)]
    [InlineData(-1f)]
    [InlineData(1.1f)]
    [InlineData(float.NaN)]
    public async Task TopP_OutOfRange_IsRefused(float value) =>
        await RefuseAsync(new() { TopP = value }, nameof(ChatOptions.TopP));

    [Fact]
    public async Task TopK_One_IsGreedy() =>
        Assert.Equal(await AskAsync(new() { Temperature = 0 }), await AskAsync(new() { Temperature = 2, TopK = 1 }));

    [Fact]
    public async Task TopK_Zero_IsOff() =>
        Assert.Equal(await AskAsync(new() { Temperature = 2, Seed = 3 }),
            await AskAsync(new() { Temperature = 2, Seed = 3, TopK = 0 }));

    [Fact]
    public async Task TopK_Negative_IsRefused() => await RefuseAsync(new() { TopK = -1 }, nameof(ChatOptions.TopK));

    [Fact]
    public async Task FrequencyPenalty_High_ChangesTheReply() =>
        Assert.NotEqual(
            await AskAsync(new() { Seed = 3, Temperature = 2 }),
            await AskAsync(new() { Seed = 3, Temperature = 2, FrequencyPenalty = 2 }));

    [Theory]
    [InlineData(-2.1f)]
    [InlineData(2.1f)]
    [InlineData(float.NaN)]
    public async Task FrequencyPenalty_OutOfRange_IsRefused(float value) =>
        await RefuseAsync(new() { FrequencyPenalty = value }, nameof(ChatOptions.FrequencyPenalty));

    [Fact]
    public async Task PresencePenalty_High_ChangesTheReply() =>
        Assert.NotEqual(
            await AskAsync(new() { Seed = 3, Temperature = 2 }),
            await AskAsync(new() { Seed = 3, Temperature = 2, PresencePenalty = 2 }));

    [Theory]
    [InlineData(-2.1f)]
    [InlineData(2.1f)]
    [InlineData(float.NaN)]
    public async Task PresencePenalty_OutOfRange_IsRefused(float value) =>
        await RefuseAsync(new() { PresencePenalty = value }, nameof(ChatOptions.PresencePenalty));

    [Theory]
    [InlineData(0)]
    [InlineData(42)]
    [InlineData(-1)]
    [InlineData(long.MinValue)]
    [InlineData(long.MaxValue)]
    public async Task Seed_Same_GivesTheSameReply(long seed) =>
        Assert.Equal(await AskAsync(new() { Seed = seed, Temperature = 2 }),
            await AskAsync(new() { Seed = seed, Temperature = 2 }));

    [Theory]
    [InlineData(1L, 1L + (1L << 32))]
    [InlineData(1L, 1L + (1L << 63))]
    [InlineData(-1L, 0xFFFF_FFFFL)]
    public async Task Seed_DifferentInHighBits_GivesAnotherReply(long one, long other) =>
        Assert.NotEqual(await AskAsync(new() { Seed = one, Temperature = 2 }),
            await AskAsync(new() { Seed = other, Temperature = 2 }));

    [Fact]
    public async Task RawRepresentationFactory_GenerationOptions_WinsAndIsFilledUp()
    {
        int calls = 0;
        object? client = null;
        ChatOptions options = new()
        {
            Temperature = 2,
            MaxOutputTokens = 5,
            StopSequences = ["never"],
            RawRepresentationFactory = given =>
            {
                calls++;
                client = given;
                return new GenerationOptions { SamplingOptions = new SamplingOptions { Temperature = 0 } };
            },
        };

        string text = await AskAsync(options);

        Assert.StartsWith("Once upon a time", text, StringComparison.Ordinal);
        Assert.True(text.Length < 40, "The limit on tokens was not filled in.");
        Assert.Equal(1, calls);
        Assert.Same(tiny.Client, client);
    }

    [Fact]
    public async Task RawRepresentationFactory_LimitAndStops_WinOverTheOptions()
    {
        ChatOptions options = new()
        {
            Temperature = 0,
            MaxOutputTokens = 1,
            StopSequences = ["upon"],
            RawRepresentationFactory = _ => new GenerationOptions { MaxTokens = 100, StopSequences = ["named"] },
        };

        Assert.Equal("Once upon a time there was a blue bear ", await AskAsync(options));
    }

    [Fact]
    public async Task RawRepresentationFactory_AnotherType_IsIgnored()
    {
        string text = await AskAsync(new ChatOptions { Temperature = 0, RawRepresentationFactory = _ => "other" });
        string none = await AskAsync(new ChatOptions { Temperature = 0, RawRepresentationFactory = _ => null });

        Assert.Equal(await AskAsync(new() { Temperature = 0 }), text);
        Assert.Equal(text, none);
    }

    private async Task<string> AskAsync(ChatOptions options) =>
        (await tiny.Client.GetResponseAsync(Story, options, TestContext.Current.CancellationToken)).Text;

    private async Task RefuseAsync(ChatOptions options, string name)
    {
        ArgumentOutOfRangeException exception = await Assert.ThrowsAsync<ArgumentOutOfRangeException>(
            async () => await tiny.Client.GetResponseAsync(Story, options, TestContext.Current.CancellationToken));
        Assert.Contains(name, exception.Message, StringComparison.Ordinal);
    }
}
