using System.Diagnostics;
using Microsoft.Extensions.AI;
using Xunit;

namespace KimiLinear.Extensions.AI.Integration;

/// <content>What is logged and traced of a request.</content>
public sealed partial class ChatClientIntegrationTests
{
    private const string BigQuestion = "Which animal is the biggest?";
    private const string SecretQuestion = "What is the secret number?";

    [Fact]
    public Task Logging_LogsCalls_NonStreaming() => RunAsync(
        Need.Knowledge,
        async create =>
        {
            using CollectedLog log = new();
            using IChatClient client = create().AsBuilder().UseLogging(log).Build();

            await client.GetResponseAsync(BigQuestion, cancellationToken: Cancellation);

            Assert.Collection(
                log.Entries,
                entry => Assert.Contains(BigQuestion, entry, StringComparison.Ordinal),
                entry => Assert.Contains("whale", entry, StringComparison.Ordinal));
        },
        "The blue whale.");

    [Fact]
    public Task Logging_LogsCalls_Streaming() => RunAsync(
        Need.Knowledge,
        async create =>
        {
            using CollectedLog log = new();
            using IChatClient client = create().AsBuilder().UseLogging(log).Build();

            await ReadAsync(client, [new(ChatRole.User, BigQuestion)]);

            Assert.Contains(log.Entries, entry => entry.Contains(BigQuestion, StringComparison.Ordinal));
            Assert.Contains(log.Entries, entry => entry.Contains("whale", StringComparison.Ordinal));
        },
        // Updates are logged one by one, and " whale" is a token.
        "The blue whale.");

    [Fact]
    public Task Logging_LogsFunctionCalls_NonStreaming() => RunAsync(
        Need.Knowledge,
        async create =>
        {
            using CollectedLog log = new();
            using IChatClient client = create().AsBuilder().UseFunctionInvocation().UseLogging(log).Build();

            await client.GetResponseAsync(SecretQuestion, SecretOptions(), Cancellation);

            Assert.Collection(
                log.Entries,
                entry => Assert.Contains(SecretQuestion, entry, StringComparison.Ordinal),
                entry => Assert.Contains("\"name\": \"GetSecretNumber\"", entry, StringComparison.Ordinal),
                entry => Assert.Contains("\"result\": 42", entry, StringComparison.Ordinal),
                entry => Assert.Contains("42", entry, StringComparison.Ordinal));
        },
        Call("GetSecretNumber", "{}"),
        "The secret number is 42.");

    [Fact]
    public Task Logging_LogsFunctionCalls_Streaming() => RunAsync(
        Need.Knowledge,
        async create =>
        {
            using CollectedLog log = new();
            using IChatClient client = create().AsBuilder().UseFunctionInvocation().UseLogging(log).Build();

            await ReadAsync(client, [new(ChatRole.User, SecretQuestion)], SecretOptions());

            Assert.All(
                [SecretQuestion, "\"name\": \"GetSecretNumber\"", "\"result\": 42"],
                text => Assert.Contains(log.Entries, entry => entry.Contains(text, StringComparison.Ordinal)));
        },
        Call("GetSecretNumber", "{}"),
        "The secret number is 42.");

    // The original asks for the address and the port of a server as well, of which there is none.
    [Fact]
    public Task OpenTelemetry_CanEmitTracesAndMetrics() => RunAsync(Need.Client, async create =>
    {
        using CollectedSpans spans = new();
        using IChatClient client = create().AsBuilder().UseOpenTelemetry(sourceName: spans.Source).Build();

        await client.GetResponseAsync(BigQuestion, cancellationToken: Cancellation);

        Activity span = Assert.Single(spans.Spans);
        Assert.StartsWith("chat", span.DisplayName, StringComparison.Ordinal);
        Assert.Null(span.GetTagItem("server.address"));
        Assert.NotEqual("", span.Id);
        Assert.True(Assert.IsType<int>(span.GetTagItem("gen_ai.usage.input_tokens")) > 0);
        Assert.True(Assert.IsType<int>(span.GetTagItem("gen_ai.usage.output_tokens")) > 0);
        Assert.True(span.Duration > TimeSpan.Zero);
    });

    private static ChatOptions SecretOptions() => new() { Tools = [AIFunctionFactory.Create(() => Secret, "GetSecretNumber")] };
}
