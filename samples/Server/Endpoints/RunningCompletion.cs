using KimiLinear.Generation;

namespace KimiServer.Endpoints;

/// <summary>One of the replies of a request while it is read.</summary>
internal sealed class RunningCompletion(int index, IAsyncEnumerable<GeneratedToken> tokens)
{
    /// <summary>Its number among those of the request.</summary>
    public int Index => index;

    public int TokenCount { get; private set; }

    /// <summary>The token read last.</summary>
    public GeneratedToken Last { get; private set; }

    /// <summary>Reads replies side by side; all have begun, or failed to, when this returns to its caller.</summary>
    /// <param name="replies">The replies.</param>
    /// <param name="take">Receives each token with the number of its reply; one call at a time for a reply.</param>
    /// <param name="stop">Stops all of them, as soon as one fails.</param>
    public static Task ReadAllAsync(
        IEnumerable<RunningCompletion> replies, Func<int, GeneratedToken, Task> take, CancellationTokenSource stop) =>
        Task.WhenAll(replies.Select(one => one.ReadAsync(take, stop)).ToArray());

    private async Task ReadAsync(Func<int, GeneratedToken, Task> take, CancellationTokenSource stop)
    {
        try
        {
            await foreach (GeneratedToken token in tokens)
            {
                TokenCount++;
                Last = token;
                await take(index, token);
            }
        }
        catch
        {
            await stop.CancelAsync();
            throw;
        }
    }
}
