namespace KimiLinear.Backends;

/// <summary>Working memory for each worker of a team.</summary>
/// <remarks>
/// Which worker does what differs from run to run, but how much memory is taken does not: between jobs every worker is given
/// as much as the one that needed most.
/// </remarks>
internal sealed class WorkerScratch : IDisposable
{
    private readonly ScratchBuffer[] _buffers;
    private volatile bool _hasGrown;

    public WorkerScratch(int workerCount) =>
        _buffers = [.. Enumerable.Range(0, workerCount).Select(_ => new ScratchBuffer(() => _hasGrown = true))];

    public ScratchBuffer this[int worker] => _buffers[worker];

    /// <summary>Gives all workers equally much; called when none is at work.</summary>
    public void Level()
    {
        if (!_hasGrown)
        {
            return;
        }

        long length = _buffers.Max(buffer => buffer.Length);
        foreach (ScratchBuffer buffer in _buffers)
        {
            buffer.Reserve(length);
        }

        _hasGrown = false;
    }

    public void Dispose()
    {
        foreach (ScratchBuffer buffer in _buffers)
        {
            buffer.Dispose();
        }
    }
}
