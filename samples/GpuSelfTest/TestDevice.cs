using KimiLinear.Backends;
using Xunit;

namespace KimiLinear.Kernels.Tests;

/// <summary>The GPU that the kernels' tests run on, as the emulated one is where there is none.</summary>
internal sealed class TestDevice : IDisposable
{
    private readonly List<DeviceBuffer> _buffers = [];

    /// <param name="multiprocessorCount">
    /// By this launches choose their tiles: with one, the largest that fit; 0 for what the GPU has.
    /// </param>
    public TestDevice(int multiprocessorCount = 0)
    {
        using CudaDevice actual = CudaBackends.Open(Index);
        Device = new CudaDevice(actual.Driver, Index)
        {
            MultiprocessorCount = multiprocessorCount == 0 ? actual.MultiprocessorCount : multiprocessorCount,
        };
        Stream = new CudaStream(Device);
        Kernels = new DecodeKernels(Device);
        Prefill = new PrefillKernels(Device);
    }

    /// <summary>Which GPU the tests run on.</summary>
    public static int Index { get; set; }

    public CudaDevice Device { get; }

    public CudaStream Stream { get; }

    public DecodeKernels Kernels { get; }

    public PrefillKernels Prefill { get; }

    /// <summary>Only the emulation counts them.</summary>
    public long BankConflicts { get; }

    /// <summary>Device memory with these values.</summary>
    public DeviceBuffer Upload<T>(params T[] values)
        where T : unmanaged
    {
        DeviceBuffer buffer = Reserve<T>(values.Length);
        buffer.Write(values);
        return buffer;
    }

    /// <summary>Device memory that nothing was written to; it reads as NaN.</summary>
    public unsafe DeviceBuffer Reserve<T>(int count)
        where T : unmanaged
    {
        DeviceBuffer buffer = new(Device, Stream, (long)count * sizeof(T));
        _buffers.Add(buffer);
        return buffer;
    }

    /// <summary>
    /// Does it twice from the same memory: the memory after it must have the same bits, and what lies around the buffers must be
    /// untouched.
    /// </summary>
    public void Run(Action work)
    {
        byte[][] before = [.. _buffers.Select(buffer => buffer.Everything())];
        work();
        byte[][] first = [.. _buffers.Select(buffer => buffer.Everything())];
        for (int i = 0; i < before.Length; i++)
        {
            _buffers[i].Restore(before[i]);
        }

        work();
        for (int i = 0; i < first.Length; i++)
        {
            byte[] after = _buffers[i].Everything();
            Assert.True(after.AsSpan().SequenceEqual(first[i]), $"Buffer {i} differs when the kernels run a second time.");
            Assert.True(_buffers[i].IsGuardIntact(after), $"Something was written outside buffer {i}.");
        }
    }

    public void Dispose()
    {
        foreach (DeviceBuffer buffer in _buffers)
        {
            buffer.Dispose();
        }

        Prefill.Dispose();
        Kernels.Dispose();
        Stream.Dispose();
        Device.Dispose();
    }
}
