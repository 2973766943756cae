using KimiLinear.Model;

namespace Kimi.Terminal;

/// <summary>Shows in the status line how far the making of a model has come.</summary>
internal sealed class StatusProgress(string activity, StatusLine status) : IProgress<ModelLoadProgress>
{
    public void Report(ModelLoadProgress value) => status.Show($"{activity}: {value.Step}, {value.Fraction:P0}");
}
