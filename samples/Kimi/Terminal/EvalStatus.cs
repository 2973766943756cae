using Kimi.Evaluation.Runs;

namespace Kimi.Terminal;

/// <summary>Shows in the status line how far a run of a benchmark has come.</summary>
internal sealed class EvalStatus(string title, StatusLine status) : IProgress<RunProgress>
{
    public void Report(RunProgress value)
    {
        string left = value.TimeLeft is { } time ? $", {DurationText.Of(time)} left" : "";
        string right = value.Correct is int correct ? $", {(double)correct / value.Done:P1} right" : "";
        status.Show($"{title}: {value.Done:N0} of {value.Total:N0}{right}{left}");
    }
}
