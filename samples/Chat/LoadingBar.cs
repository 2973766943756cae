using KimiLinear.Checkpoints;
using KimiLinear.Model;
using Spectre.Console;

namespace ChatSample;

/// <summary>Shows how far the loading of a model has come, if it takes long enough to wonder.</summary>
internal sealed class LoadingBar(ChatConsole console) : IProgress<ModelLoadProgress>, IProgress<ModelDownloadProgress>
{
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(300);
    private static readonly TimeSpan Refresh = TimeSpan.FromMilliseconds(100);

    private double _fraction;
    private string _activity = "Loading the model";

    public void Report(ModelLoadProgress value) => Show("Loading the model", value.Fraction);

    public void Report(ModelDownloadProgress value) => Show("Downloading the model", value.Fraction);

    /// <summary>Waits for the model, with a bar on a terminal that can show one.</summary>
    public async Task<T> WatchAsync<T>(Task<T> loading)
    {
        await Task.WhenAny(loading, Task.Delay(Patience));
        if (!loading.IsCompleted && console.NotesOnTerminal && console.Notes.Profile.Capabilities.Ansi)
        {
            // A bar hides the cursor; Ctrl+C ends the program and must leave it visible.
            Console.CancelKeyPress += ShowCursor;
            await ShowBarAsync(loading);
            Console.CancelKeyPress -= ShowCursor;
        }

        return await loading;
    }

    private void Show(string activity, double fraction)
    {
        Volatile.Write(ref _activity, activity);
        Volatile.Write(ref _fraction, fraction);
    }

    private void ShowCursor(object? sender, ConsoleCancelEventArgs e) => console.Notes.Cursor.Show();

    private Task ShowBarAsync(Task loading) => console.Notes.Progress()
        .AutoClear(true)
        .Columns(new SpinnerColumn(), new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn())
        .StartAsync(context => FollowAsync(loading, context.AddTask(_activity, maxValue: 1)));

    private async Task FollowAsync(Task loading, ProgressTask bar)
    {
        while (!loading.IsCompleted)
        {
            bar.Description = Volatile.Read(ref _activity);
            bar.Value = Volatile.Read(ref _fraction);
            await Task.WhenAny(loading, Task.Delay(Refresh));
        }
    }
}
