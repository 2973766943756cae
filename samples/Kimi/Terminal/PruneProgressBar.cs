using KimiLinear.Pruning;
using Spectre.Console;

namespace Kimi.Terminal;

/// <summary>A bar on standard error that shows how far pruning has come; nothing where nobody watches.</summary>
internal static class PruneProgressBar
{
    /// <summary>Runs what reports its progress.</summary>
    /// <param name="beginning">What is shown until it reports.</param>
    /// <param name="work">What to run.</param>
    public static void Run(string beginning, Action<IProgress<PruneProgress>?> work)
    {
        if (Console.IsErrorRedirected)
        {
            work(null);
            return;
        }

        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error) });
        console.Progress()
            .Columns(new TaskDescriptionColumn { Alignment = Justify.Left }, new ProgressBarColumn(), new PercentageColumn())
            .AutoClear(true)
            .Start(context => work(new Bar(context.AddTask(beginning, maxValue: 1))));
    }

    private sealed class Bar(ProgressTask task) : IProgress<PruneProgress>
    {
        public void Report(PruneProgress value)
        {
            string rate = value.BytesPerSecond > 0 ? $", {ByteText.Of(value.BytesPerSecond)}/s" : "";
            string left = value.TimeLeft is { } time ? $", {DurationText.Of(time)} left" : "";
            task.Description = Markup.Escape($"{value.Step}{rate}{left}");
            task.Value = value.Fraction;
        }
    }
}
