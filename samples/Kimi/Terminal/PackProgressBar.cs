using KimiLinear.Model;
using Spectre.Console;

namespace Kimi.Terminal;

/// <summary>A bar on standard error that shows how far packing has come; nothing where nobody watches.</summary>
internal static class PackProgressBar
{
    /// <summary>Runs what reports its progress.</summary>
    public static void Run(Action<IProgress<ModelPackProgress>?> pack)
    {
        if (Console.IsErrorRedirected)
        {
            pack(null);
            return;
        }

        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error) });
        console.Progress()
            .Columns(new TaskDescriptionColumn { Alignment = Justify.Left }, new ProgressBarColumn(), new PercentageColumn())
            .AutoClear(true)
            .Start(context => pack(new Bar(context.AddTask("reading the model", maxValue: 1))));
    }

    private sealed class Bar(ProgressTask task) : IProgress<ModelPackProgress>
    {
        public void Report(ModelPackProgress value)
        {
            string rate = value.BytesPerSecond > 0 ? $", {ByteText.Of(value.BytesPerSecond)}/s" : "";
            string left = value.TimeLeft is { } time ? $", {DurationText.Of(time)} left" : "";
            task.Description = Markup.Escape($"{value.Step}{rate}{left}");
            task.Value = value.Fraction;
        }
    }
}
