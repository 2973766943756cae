namespace KimiLinear.Checkpoints;

/// <summary>Makes a request again when that may help, a few times and after longer and longer waits.</summary>
internal sealed class HubRetry(ModelHubOptions options)
{
    private const int MaxFailures = 5;

    // Who is told to wait longer than this had better come back another time.
    private static readonly TimeSpan LongestWait = TimeSpan.FromMinutes(2);

    private int _failures;
    private long _furthest;

    /// <summary>Says how far a transfer has come. Only failures without any headway between them count.</summary>
    public void Advance(long position)
    {
        if (position > _furthest)
        {
            _furthest = position;
            _failures = 0;
        }
    }

    /// <summary>Runs an attempt until it succeeds, or fails for good.</summary>
    public async Task<T> RunAsync<T>(Func<Task<T>> attempt, CancellationToken cancellationToken)
    {
        while (true)
        {
            TimeSpan wait;
            try
            {
                return await attempt().ConfigureAwait(false);
            }
            catch (ModelHubException exception) when (
                exception.IsTransient && ++_failures < MaxFailures && !(exception.RetryAfter > LongestWait))
            {
                wait = exception.RetryAfter ?? TimeSpan.FromSeconds(1 << (_failures - 1));
            }

            await options.Delay(wait, cancellationToken).ConfigureAwait(false);
        }
    }
}
