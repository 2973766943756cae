using KimiLinear.Pruning;
using Spectre.Console;

namespace Kimi.Terminal;

/// <summary>A bar on standard error that shows how far an observation has come; nothing where nobody watches.</summary>
internal static class ObservationProgressBar
{
    /// <summary>Runs what reports its progress.</summary>
    /// <param name="beginning">What is shown until it reports.</param>
    /// <param name="observe">What to run.</param>
    public static T Run<T>(string beginning, Func<IProgress<ObservationProgress>?, T> observe)
    {
        if (Console.IsErrorRedirected)
        {
            return observe(null);
        }

        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error) });
        return console.Progress()
            .Columns(new TaskDescriptionColumn { Alignment = Justify.Left }, new ProgressBarColumn(), new PercentageColumn())
            .AutoClear(true)
            .Start(context => observe(new Bar(context.AddTask(beginning, maxValue: 1))));
    }

    private sealed class Bar(ProgressTask task) : IProgress<ObservationProgress>
    {
        public void Report(ObservationProgress value)
        {
            string left = value.TimeLeft is { } time ? $", {DurationText.Of(time)} left" : "";
            task.Description = Markup.Escape($"{value.Step}, {value.TokensPerSecond:N0} tokens/s{left}");
            task.Value = value.Fraction;
        }
    }
}
