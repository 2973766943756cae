namespace ChatSample;

/// <summary>Lets Ctrl+C stop the reply; a second one, or one while nothing is running, ends the program.</summary>
internal sealed class ReplyInterrupt
{
    private CancellationTokenSource? _reply;

    /// <param name="enabled">Whether Ctrl+C is heard; otherwise it ends the program as usual.</param>
    public ReplyInterrupt(bool enabled)
    {
        if (enabled)
        {
            Console.CancelKeyPress += OnCancelKeyPress;
        }
    }

    /// <summary>Runs a reply with a token that Ctrl+C cancels.</summary>
    /// <returns>Whether it came to its end.</returns>
    public async Task<bool> RunAsync(Func<CancellationToken, Task> reply)
    {
        // Not disposed: the handler runs on a thread of its own and may still hold it.
        CancellationTokenSource cancellation = new();
        _reply = cancellation;
        try
        {
            await reply(cancellation.Token);
            return true;
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            return false;
        }
        finally
        {
            _reply = null;
        }
    }

    private void OnCancelKeyPress(object? sender, ConsoleCancelEventArgs e)
    {
        if (_reply is { IsCancellationRequested: false } reply)
        {
            e.Cancel = true;
            reply.Cancel();
        }
        else
        {
            Console.Error.WriteLine();
        }
    }
}
