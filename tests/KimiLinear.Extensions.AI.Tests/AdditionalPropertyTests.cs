using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.AI;
using Xunit;

namespace KimiLinear.Extensions.AI.Tests;

/// <summary>The options without a member of their own, with values in whatever form a configuration makes of them.</summary>
public sealed class AdditionalPropertyTests(TinyModel tiny)
{
    private const string Story = "Tell me a story about a blue bear.";
    private const int EndOfTurn = 1282;

    public static TheoryData<object?> MinPValues() => new()
    {
        1.0, 1f, 1, 1L, 1m, "1", "1.0", JsonSerializer.SerializeToElement(1), JsonSerializer.SerializeToElement("1"),
        (byte)1, (short)1, 1u, 1ul, (Half)1, JsonValue.Create(1), JsonValue.Create("1"), JsonNode.Parse("1"),
    };

    [Theory]
    [MemberData(nameof(MinPValues), DisableDiscoveryEnumeration = true)]
    public async Task AdditionalProperties_MinPOfAnyKind_IsHonoured(object? value)
    {
        // A min-p of 1 keeps the best token only.
        ChatOptions options = With(KimiLinearChatClient.MinPProperty, value);
        options.Temperature = 2;

        Assert.Equal(await AskAsync(new() { Temperature = 0 }), await AskAsync(options));
    }

    [Fact]
    public async Task AdditionalProperties_RepetitionPenalty_ChangesTheReply()
    {
        ChatOptions options = With(KimiLinearChatClient.RepetitionPenaltyProperty, 1.5);
        options.Temperature = 2;
        options.Seed = 3;

        Assert.NotEqual(await AskAsync(new() { Seed = 3, Temperature = 2 }), await AskAsync(options));
    }

    public static TheoryData<object> LogitBiasForms() => new()
    {
        new Dictionary<int, float> { [EndOfTurn] = 100 },
        new Dictionary<string, object?> { [$"{EndOfTurn}"] = 100 },
        new Dictionary<int, double> { [EndOfTurn] = 100 },
        new Dictionary<string, float> { [$"{EndOfTurn}"] = 100 },
        new Dictionary<string, JsonElement> { [$"{EndOfTurn}"] = JsonSerializer.SerializeToElement(100) },
        JsonSerializer.SerializeToElement(new Dictionary<int, int> { [EndOfTurn] = 100 }),
        new JsonObject { [$"{EndOfTurn}"] = 100 },
    };

    [Theory]
    [MemberData(nameof(LogitBiasForms), DisableDiscoveryEnumeration = true)]
    public async Task AdditionalProperties_LogitBiasTowardsTheEnd_EndsTheReply(object bias)
    {
        ChatOptions options = With(KimiLinearChatClient.LogitBiasProperty, bias);
        options.Temperature = 0;

        Assert.Equal("", await AskAsync(options));
    }

    [Theory]
    [InlineData(KimiLinearChatClient.MinPProperty, 2.0, "MinP")]
    [InlineData(KimiLinearChatClient.RepetitionPenaltyProperty, 0.0, "RepetitionPenalty")]
    public async Task AdditionalProperties_NumberOutOfRange_IsRefused(string key, double value, string name) =>
        await RefuseAsync(With(key, value), name);

    public static TheoryData<object?> OddValues() => new()
    {
        (object?)null, true, "many", new object(), new[] { 1, 2 }, new Dictionary<string, object?> { ["include_usage"] = true },
        JsonSerializer.SerializeToElement<object?>(null), JsonSerializer.SerializeToElement(new[] { 1 }), default(JsonElement),
        new Dictionary<string, object?> { ["no id"] = 1, ["7"] = "no number" },
    };

    [Theory]
    [MemberData(nameof(OddValues), DisableDiscoveryEnumeration = true)]
    public async Task AdditionalProperties_OddValuesAndUnknownKeys_AreIgnored(object? value)
    {
        ChatOptions options = new()
        {
            Temperature = 0,
            AdditionalProperties = new AdditionalPropertiesDictionary
            {
                [KimiLinearChatClient.MinPProperty] = value,
                [KimiLinearChatClient.RepetitionPenaltyProperty] = value,
                [KimiLinearChatClient.LogitBiasProperty] = value,
                ["stream_options"] = value,
            },
        };

        Assert.Equal(await AskAsync(new() { Temperature = 0 }), await AskAsync(options));
    }

    private static ChatOptions With(string key, object? value) =>
        new() { AdditionalProperties = new AdditionalPropertiesDictionary { [key] = value } };

    private async Task<string> AskAsync(ChatOptions options) =>
        (await tiny.Client.GetResponseAsync(Story, options, TestContext.Current.CancellationToken)).Text;

    private async Task RefuseAsync(ChatOptions options, string name)
    {
        ArgumentOutOfRangeException exception = await Assert.ThrowsAsync<ArgumentOutOfRangeException>(
            async () => await tiny.Client.GetResponseAsync(Story, options, TestContext.Current.CancellationToken));
        Assert.Contains(name, exception.Message, StringComparison.Ordinal);
    }
}
