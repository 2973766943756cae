using System.Text.Json;
using Xunit;

namespace Kimi.Tests;

/// <summary>Many callers at once: what is written, and what is refused.</summary>
public sealed class StressTests
{
    private static readonly string[] Few = ["--callers", "4", "-p", "20", "-n", "6", "--threads", "1"];

    [Fact]
    public async Task Json_FewCallers_HasEveryReplyAsItIsAlone()
    {
        string[] lines = await KimiProcess.LinesAsync(
            ["stress", "--model", TestFiles.TinyModel, .. Few, "--turn", "100", "--no-prefixes", "--json"]);

        JsonElement[] rows = [.. lines.Select(line => JsonSerializer.Deserialize<JsonElement>(line))];
        Assert.Equal(
            ["1 caller", "4 callers", "second turn after 100 tokens, read again", "second turn after 100 tokens, resumed"],
            rows.Select(row => row.GetProperty("test").GetString()));
        Assert.Equal([16, 16], rows[..2].Select(row => row.GetProperty("requests").GetInt32()));
        Assert.All(rows[..2], row => Assert.Equal(0, row.GetProperty("not_as_alone").GetInt32()));
        Assert.All(rows[..2], row => Assert.True(row.GetProperty("tokens_per_second").GetDouble() > 0));
        Assert.All(rows, row => Assert.True(row.GetProperty("first_token_p99_ms").GetDouble() > 0));
    }

    [Fact]
    public async Task Minutes_Fraction_CancelsSomeAndWritesMemory()
    {
        KimiResult result = await KimiProcess.RunAsync(
            ["stress", "--model", TestFiles.TinyModel, .. Few, "--minutes", "0.02", "--no-prefixes"]);

        Assert.Equal("", result.Error);
        string[] lines = result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        string[] cells = Assert.Single(lines, line => line.StartsWith("4 callers for 0.02 min", StringComparison.Ordinal))
            .Split("  ", StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        Assert.InRange(int.Parse(cells[^2].Replace(",", ""), System.Globalization.CultureInfo.InvariantCulture), 1, 1_000_000);
        Assert.Equal("0", cells[^1]);
        Assert.Contains(lines, line => line.StartsWith("minute", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("--url must be an address such as http://", "stress", "--url", "nowhere")]
    [InlineData("in one way: --model or --url", "stress")]
    public async Task Run_NobodyToAsk_SaysSoInOneLine(string expected, params string[] arguments)
    {
        KimiResult result = await KimiProcess.RunAsync(arguments);

        Assert.Contains(expected, result.Error);
        Assert.Equal(1, result.Error.Count('\n'));
        Assert.Equal(1, result.ExitCode);
    }

    [Theory]
    [InlineData("--callers must be a whole number from 1 to 4096, but is '0'", "--callers", "0")]
    [InlineData("--minutes must be a number above 0", "--minutes", "-1")]
    [InlineData("--turn must be a whole number from 0", "--turn", "x")]
    public async Task Run_WrongArguments_SaysSoInOneLine(string expected, string option, string value)
    {
        KimiResult result = await KimiProcess.RunAsync(["stress", "--model", TestFiles.TinyModel, option, value]);

        Assert.Contains(expected, result.Error);
        Assert.Equal(1, result.Error.Count('\n'));
        Assert.Equal("", result.Output);
        Assert.Equal(1, result.ExitCode);
    }
}
