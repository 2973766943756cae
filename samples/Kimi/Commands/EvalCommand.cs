using System.CommandLine;
using Kimi.Terminal;

namespace Kimi.Commands;

/// <summary>Judges models.</summary>
internal static class EvalCommand
{
    public static readonly string[] Examples =
        [EvalRunCommand.Examples[0], EvalCompareCommand.Examples[0], EvalPerplexityCommand.Examples[1]];

    /// <summary>Makes the command.</summary>
    /// <param name="terminal">Where it reads and writes.</param>
    /// <param name="examples">Gets the examples of its subcommands.</param>
    public static Command Create(CommandTerminal terminal, Dictionary<Command, string[]> examples)
    {
        Command run = EvalRunCommand.Create(terminal);
        Command compare = EvalCompareCommand.Create(terminal);
        Command perplexity = EvalPerplexityCommand.Create(terminal);
        examples.Add(run, EvalRunCommand.Examples);
        examples.Add(compare, EvalCompareCommand.Examples);
        examples.Add(perplexity, EvalPerplexityCommand.Examples);
        return new Command(
            "eval",
            "Judges models: scores with intervals from the benchmarks' own files, whether two models differ, and perplexity.")
        {
            run, compare, perplexity,
        };
    }
}
