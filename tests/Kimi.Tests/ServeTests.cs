using System.Diagnostics;
using System.Net.Http.Json;
using Xunit;

namespace Kimi.Tests;

/// <summary>The command that starts a server; the server itself has tests of its own.</summary>
public sealed class ServeTests
{
    private const string Listening = "Now listening on: ";

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(120);

    [Fact]
    public async Task Serve_Model_AnswersUntilItIsToldToStop()
    {
        using Process process = KimiProcess.Start("serve", TestFiles.TinyModel, "--port", "0", "--served-model-name", "kimi");
        using CancellationTokenSource limit = new(Limit);
        try
        {
            string line = await LineAsync(process, Listening, limit.Token);
            using HttpClient http = new() { BaseAddress = new Uri(line[(line.IndexOf(Listening, StringComparison.Ordinal) + Listening.Length)..]) };
            await LineAsync(process, "Ready: kimi", limit.Token);

            string page = await http.GetStringAsync("/", limit.Token);
            using HttpResponseMessage reply = await http.PostAsJsonAsync(
                "/v1/chat/completions", new { messages = new[] { new { role = "user", content = "Hello" } } }, limit.Token);
            KimiResult stress = await KimiProcess.RunAsync(
                ["stress", "--url", http.BaseAddress.ToString(), "--callers", "2", "--requests", "4", "-p", "5", "-n", "5"]);
            string rest = await EndAsync(process, limit.Token);

            Assert.StartsWith("<!doctype html>", page);
            Assert.True(reply.IsSuccessStatusCode);
            Assert.Equal("", stress.Error);
            Assert.EndsWith("200: 4", stress.Output.TrimEnd(), StringComparison.Ordinal);
            Assert.Equal("", rest);
            Assert.Equal(0, process.ExitCode);
        }
        finally
        {
            if (!process.HasExited)
            {
                process.Kill();
            }
        }
    }

    [Theory]
    [InlineData("Name one model", "serve")]
    [InlineData("'nowhere' does not exist", "serve", "nowhere", "--port", "0")]
    [InlineData("choose it with --device", "serve", "nowhere", "--tensor-parallel-size", "8")]
    public async Task Serve_WhatCannotBe_IsOneLine(string expected, params string[] args)
    {
        KimiResult result = await KimiProcess.RunAsync(args);

        Assert.Equal(1, result.ExitCode);
        Assert.Contains(expected, Assert.Single(result.Error.TrimEnd('\n').Split('\n')));
    }

    [Theory]
    [InlineData("kimi: MODEL must name an existing folder", "no such name.", "serve", "nowhere", "--port", "0")]
    [InlineData(
        "kimi: Nothing can listen on 203.0.113.7:0: ", "with --host and --port.",
        "serve", "nowhere", "--host", "203.0.113.7", "--port", "0")]
    public async Task Serve_WhatTheSystemOrTheLibraryRefuses_IsSaidInTheTermsOfTheCommand(
        string start, string end, params string[] args)
    {
        KimiResult result = await KimiProcess.RunAsync(args);

        Assert.Equal(1, result.ExitCode);
        Assert.StartsWith(start, result.Error);
        Assert.EndsWith(end, result.Error.TrimEnd());
    }

    [Fact]
    public async Task Serve_EndpointsOfTheEnvironment_AreNoneOfItsOwn()
    {
        ProcessStartInfo start = KimiProcess.StartInfo("serve", "nowhere", "--port", "0");
        start.Environment["Kestrel__Endpoints__Other__Url"] = "http://127.0.0.1:0";

        KimiResult result = await KimiProcess.RunAsync(Process.Start(start)!);

        Assert.Equal(1, result.Output.Split(Listening).Length - 1);
    }

    [Fact]
    public async Task Serve_ContextLongerThanTheModels_EndsWithOneLine()
    {
        KimiResult result = await KimiProcess.RunAsync(["serve", TestFiles.TinyModel, "--port", "0", "--max-model-len", "2m"]);

        Assert.Equal(1, result.ExitCode);
        Assert.Equal(
            "kimi: --max-model-len is 2,000,000, but the model reads at most 1,048,576 tokens. Lower it, or leave it out for all of them.",
            result.Error.TrimEnd());
    }

    private static async Task<string> LineAsync(Process process, string text, CancellationToken cancellationToken)
    {
        while (await process.StandardOutput.ReadLineAsync(cancellationToken) is { } line)
        {
            if (line.Contains(text, StringComparison.Ordinal))
            {
                return line;
            }
        }

        throw new InvalidOperationException(await process.StandardError.ReadToEndAsync(cancellationToken));
    }

    // Asks it to end, as a service manager does, and returns what it has to say about that.
    private static async Task<string> EndAsync(Process process, CancellationToken cancellationToken)
    {
        using (Process kill = Process.Start("kill", ["-TERM", $"{process.Id}"]))
        {
            await kill.WaitForExitAsync(cancellationToken);
        }

        Task output = process.StandardOutput.ReadToEndAsync(cancellationToken);
        string error = await process.StandardError.ReadToEndAsync(cancellationToken);
        await output;
        await process.WaitForExitAsync(cancellationToken);
        return error;
    }
}
