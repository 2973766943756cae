using KimiLinear.Backends;
using KimiLinear.Tests.Backends.Cuda;
using Xunit;

namespace KimiLinear.Kernels.Tests;

/// <summary>A device that runs the real kernels on this processor, behind the real driver layer.</summary>
internal sealed class TestDevice : IDisposable
{
    // Those of the emulator.
    private const int OrderCount = 4;

    private readonly FakeCudaDriver _fake;
    private readonly CudaDevice _device;
    private readonly List<DeviceBuffer> _buffers = [];
    private readonly List<string> _faults = [];
    private int _order;

    /// <param name="multiprocessorCount">By this launches choose their tiles: with one, the largest that fit.</param>
    public TestDevice(int multiprocessorCount = 132)
    {
        _fake = new FakeCudaDriver { Runner = Execute, GuardsMemory = true, MultiprocessorCount = multiprocessorCount };
        _device = new CudaDevice(_fake.Open(), 0);
        Stream = new CudaStream(_device);
        Kernels = new DecodeKernels(_device);
        Prefill = new PrefillKernels(_device);
    }

    public CudaDevice Device => _device;

    public CudaStream Stream { get; }

    public DecodeKernels Kernels { get; }

    public PrefillKernels Prefill { get; }

    /// <summary>Rows of matrices that kernels loaded from banks that others of the same matrix lie in.</summary>
    public long BankConflicts { get; private set; }

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
        DeviceBuffer buffer = new(_device, Stream, (long)count * sizeof(T));
        _buffers.Add(buffer);
        return buffer;
    }

    /// <summary>
    /// Does it once for every order of threads and blocks, from the same memory: the memory after it must have the same bits,
    /// and what lies around the buffers must be untouched.
    /// </summary>
    public void Run(Action work)
    {
        byte[][] before = [.. _buffers.Select(buffer => buffer.Everything())];
        byte[][]? first = null;
        for (_order = 0; _order < OrderCount; _order++)
        {
            for (int i = 0; i < before.Length; i++)
            {
                _buffers[i].Restore(before[i]);
            }

            work();
            Stream.Synchronize();

            Assert.Empty(_faults);
            byte[][] after = [.. _buffers.Select(buffer => buffer.Everything())];
            first ??= after;
            for (int i = 0; i < after.Length; i++)
            {
                Assert.True(after[i].AsSpan().SequenceEqual(first[i]), $"Buffer {i} differs when threads run in order {_order}.");
                Assert.True(_buffers[i].IsGuardIntact(after[i]), $"Something was written outside buffer {i}.");
            }
        }

        _order = 0;
    }

    public void Dispose()
    {
        Prefill.Dispose();
        Kernels.Dispose();
        foreach (DeviceBuffer buffer in _buffers)
        {
            buffer.Dispose();
        }

        Stream.Dispose();
        _device.Dispose();
        Assert.Empty(_fake.Problems);
        Assert.Empty(_fake.Alive);
        _fake.Dispose();
    }

    private int Execute(FakeLaunch launch)
    {
        string? fault = Emulator.Run(launch, _order, out long bankConflicts);
        BankConflicts += bankConflicts;
        if (fault is not null)
        {
            _faults.Add(fault);
        }

        return 0;
    }
}
