using System.CommandLine;
using Kimi.CommandLine;
using Kimi.Terminal;
using KimiServer.CommandLine;
using Xunit;

namespace Kimi.Tests;

/// <summary>What any option of any command says to a value that it cannot take.</summary>
public sealed class OptionTests
{
    private static readonly string[] NoValues =
        ["abc", "", " ", "NaN", "-7.5", "1e999", "\u22125", "1 2", "0x10", "٣"];

    private static readonly Command Root = Create();

    /// <summary>The options that take only some values: all but texts, and texts whose help names those there are.</summary>
    public static TheoryData<string, string> Options => [.. WithOptions(Root, "kimi")
        .Where(pair => pair.Option.HelpName?.Contains('|') == true
            || (pair.Option.ValueType != typeof(bool)
                && pair.Option.ValueType != typeof(string)
                && pair.Option.ValueType != typeof(string[])))
        .Select(pair => (pair.Path, pair.Option.Name))];

    [Theory]
    [MemberData(nameof(Options))]
    public void Parse_ValueThatIsNone_IsAnsweredInOneSentence(string path, string name)
    {
        // Alone: what else a command needs would be missed first.
        RootCommand alone = [WithOptions(Root, "kimi").Single(pair => (pair.Path, pair.Option.Name) == (path, name)).Option];
        foreach (string value in NoValues)
        {
            string answer = ParseProblem.First(alone.Parse([name, value]));

            Assert.StartsWith($"{name} must be ", answer, StringComparison.Ordinal);
            Assert.EndsWith($" is '{value}'.", answer, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("--max-tokens must be a whole number from 1 to 2147483647, but is '2147483648'.", "--max-tokens", "2147483648")]
    [InlineData(
        "--seed must be a whole number from 0 to 18446744073709551615, but is '18446744073709551616'.",
        "--seed", "18446744073709551616")]
    public void Parse_NumberBeyondTheType_SaysWhereItEnds(string expected, params string[] words) =>
        Assert.Equal(expected, ParseProblem.First(Root.Parse(["generate", "--model", "MODEL", "--ids", "1", .. words])));

    [Theory]
    [InlineData("--json=yes")]
    [InlineData("--json:2")]
    public void Parse_SwitchWithAValueThatIsNone_NamesNoTypeOfDotNet(string word)
    {
        ParseResult result = Root.Parse(["inspect", "MODEL", word]);

        Assert.NotEmpty(result.Errors);
        Assert.DoesNotContain("System.", ParseProblem.First(result), StringComparison.Ordinal);
    }

    private static IEnumerable<(string Path, Option Option)> WithOptions(Command command, string path) =>
        command.Options.Where(option => option.Arity.MaximumNumberOfValues > 0).Select(option => (path, option))
            .Concat(command.Subcommands.SelectMany(child => WithOptions(child, $"{path} {child.Name}")));

    // Nothing is run: the signals of this process stay the test runner's.
    private static RootCommand Create()
    {
        using Interrupts interrupts = new();
        return KimiCommand.Create(new CommandTerminal(interrupts));
    }
}
