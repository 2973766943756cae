using Microsoft.Extensions.AI;
using Xunit;

namespace KimiLinear.Extensions.AI.Tests;

/// <summary>Our client keeps every rule of streaming, and every rule can be broken.</summary>
public sealed class StreamConformanceTests(TinyModel tiny)
{
    // Long enough for a client without a model, however busy the machine; only a stuck one waits for it.
    private static readonly TimeSpan FakeLimit = TimeSpan.FromSeconds(5);

    public static TheoryData<string> Rules() => new(StreamConformance.Rules);

    public static TheoryData<string> Faults() => new(FaultyChatClients.All.Select(faulty => faulty.Fault));

    [Theory]
    [MemberData(nameof(Rules))]
    public Task KimiLinearChatClient_EveryRule_IsKept(string rule)
    {
        // Few places, so that one that is not given back is missed.
        StreamConformance conformance = new(() => tiny.CreateClient(new KimiLinearChatClientOptions { MaxConcurrentRequests = 4 }))
        {
            Question = "Tell me a story about a blue bear.",
        };

        return conformance.CheckAsync(rule);
    }

    [Theory]
    [MemberData(nameof(Rules))]
    public Task ObedientChatClient_EveryRule_IsKept(string rule) =>
        new StreamConformance(() => new ObedientChatClient()).CheckAsync(rule);

    [Theory]
    [MemberData(nameof(Faults))]
    public async Task FaultyChatClient_ItsRule_IsSeenToBeBroken(string fault)
    {
        (_, string rule, Func<IChatClient> create) = FaultyChatClients.All.Single(faulty => faulty.Fault == fault);
        StreamConformance conformance = new(create) { Limit = FakeLimit };

        Exception? exception = await Record.ExceptionAsync(() => conformance.CheckAsync(rule));

        Assert.True(exception is Xunit.Sdk.IAssertionException, $"The rule '{rule}' did not see it: {exception}");
    }

    [Fact]
    public void Rules_All_AreBrokenByAFaultyClient() =>
        Assert.Empty(StreamConformance.Rules.Except(FaultyChatClients.All.Select(faulty => faulty.Rule)));
}
