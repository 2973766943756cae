using System.CommandLine;

namespace KimiServer.CommandLine;

/// <summary>Says in one sentence why a command line cannot be read.</summary>
public static class ParseProblem
{
    /// <summary>The first problem of a command line that has some.</summary>
    public static string First(ParseResult result) =>
        // An unknown word also makes something else missing; the word is what the user looks for.
        result.UnmatchedTokens is [string unknown, ..]
            ? $"There is no command or option '{unknown}' here."
            : result.Errors[0].Message;
}
