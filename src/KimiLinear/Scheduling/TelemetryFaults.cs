namespace KimiLinear.Scheduling;

/// <summary>Where what listeners of telemetry throw ends: the first is told, and none reaches a request.</summary>
/// <param name="handler">Told of the first, or <see langword="null"/>.</param>
internal sealed class TelemetryFaults(Action<Exception>? handler)
{
    private int _isTold;

    /// <summary>Tells of a fault unless one was told before; allowed from any thread.</summary>
    public void Tell(Exception fault)
    {
        if (handler is null || Interlocked.Exchange(ref _isTold, 1) != 0)
        {
            return;
        }

        try
        {
            handler(fault);
        }
#pragma warning disable CA1031 // Nobody is left to tell.
        catch (Exception)
#pragma warning restore CA1031
        {
        }
    }
}
