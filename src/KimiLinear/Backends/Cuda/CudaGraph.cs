namespace KimiLinear.Backends;

/// <summary>Work that was recorded once and is queued again by one call: the same kernels with the same arguments.</summary>
/// <remarks>Addresses are frozen; what changes between steps lies in the memory they point to.</remarks>
internal sealed unsafe class CudaGraph : IDisposable
{
    // CU_STREAM_CAPTURE_MODE_THREAD_LOCAL: other threads' calls neither disturb the recording nor end up in it.
    private const int ThreadLocal = 1;

    private readonly CudaDriver _driver;
    private nint _executable;

    /// <param name="device">Where it runs.</param>
    /// <param name="stream">The stream that the work is queued to while it is recorded; it does not run.</param>
    /// <param name="record">Queues the work. It may not copy from or to pageable memory, allocate, or wait.</param>
    public CudaGraph(CudaDevice device, CudaStream stream, Action record)
    {
        _driver = device.Driver;
        nint graph = Capture(stream, record);
        nint executable;
        int result = _driver.Functions.GraphInstantiate(&executable, graph, 0);
        _driver.Check(_driver.Functions.GraphDestroy(graph), "cuGraphDestroy");
        _driver.Check(result, "cuGraphInstantiate");
        _executable = executable;
    }

    /// <summary>Queues all of it.</summary>
    public void Launch(CudaStream stream)
    {
        ObjectDisposedException.ThrowIf(_executable == 0, this);
        _driver.Check(_driver.Functions.GraphLaunch(_executable, stream.Handle), "cuGraphLaunch");
    }

    public void Dispose()
    {
        if (_executable != 0)
        {
            nint executable = _executable;
            _executable = 0;
            _driver.Check(_driver.Functions.GraphExecDestroy(executable), "cuGraphExecDestroy");
        }
    }

    private nint Capture(CudaStream stream, Action record)
    {
        _driver.Check(_driver.Functions.StreamBeginCapture(stream.Handle, ThreadLocal), "cuStreamBeginCapture");
        nint graph = 0;
        bool isRecorded = false;
        try
        {
            record();
            isRecorded = true;
        }
        finally
        {
            // Also after a failure: a stream that goes on recording can do nothing else.
            int result = _driver.Functions.StreamEndCapture(stream.Handle, &graph);
            if (isRecorded)
            {
                _driver.Check(result, "cuStreamEndCapture");
            }
            else if (graph != 0)
            {
                _ = _driver.Functions.GraphDestroy(graph);
            }
        }

        return graph;
    }
}
