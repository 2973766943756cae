using KimiLinear.Checkpoints;
using Spectre.Console;

namespace Kimi.Terminal;

/// <summary>A bar on standard error that shows how far a download has come; nothing where nobody watches.</summary>
internal static class DownloadProgressBar
{
    /// <summary>Runs what reports its progress.</summary>
    public static Task<string> RunAsync(Func<IProgress<ModelDownloadProgress>?, Task<string>> download)
    {
        if (Console.IsErrorRedirected)
        {
            return download(null);
        }

        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error) });
        return console.Progress()
            .Columns(new TaskDescriptionColumn { Alignment = Justify.Left }, new ProgressBarColumn(), new PercentageColumn())
            .AutoClear(true)
            .StartAsync(context => download(new Bar(context.AddTask("looking for the model", maxValue: 1))));
    }

    private sealed class Bar(ProgressTask task) : IProgress<ModelDownloadProgress>
    {
        public void Report(ModelDownloadProgress value)
        {
            double rate = value.BytesPerSecond;
            string speed = rate > 0
                ? $", {ByteText.Of(rate)}/s, {DurationText.Of(TimeSpan.FromSeconds((value.BytesTotal - value.BytesDone) / rate))} left"
                : "";
            task.Description = Markup.Escape(
                $"{ByteText.Of(value.BytesDone)} of {ByteText.Of(value.BytesTotal)}{speed}: {value.File}");
            task.Value = value.Fraction;
        }
    }
}
