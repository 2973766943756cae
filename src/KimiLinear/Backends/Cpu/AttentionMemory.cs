namespace KimiLinear.Backends;

/// <summary>Working memory of latent attention, reused between layers and steps.</summary>
internal sealed class AttentionMemory(int threadCount) : IDisposable
{
    /// <summary>A page as float32, one per worker.</summary>
    public WorkerScratch Pages { get; } = new(threadCount);

    /// <summary>Tokens that attend to integer rows together.</summary>
    public AbsorbedGroup Absorbed { get; } = new();

    public void Dispose()
    {
        Absorbed.Dispose();
        Pages.Dispose();
    }
}
