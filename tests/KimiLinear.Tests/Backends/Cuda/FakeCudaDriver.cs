using System.Runtime.InteropServices;
using System.Text;
using KimiLinear.Backends;
using KimiLinear.Tests.TestSupport;

namespace KimiLinear.Tests.Backends.Cuda;

/// <summary>A CUDA driver whose device memory is memory of the host and whose work is done at once.</summary>
/// <remarks>
/// It records what is called, knows what is alive, and refuses what a driver refuses: freeing twice, copying outside an
/// allocation, handles that are gone. One per thread; the functions of its table find the one of their thread.
/// </remarks>
internal sealed unsafe partial class FakeCudaDriver : IDisposable
{
    public const int InvalidValue = 1;
    public const int InvalidHandle = 400;
    public const int CaptureUnsupported = 900;

    [ThreadStatic]
    private static FakeCudaDriver? _current;

    private readonly Dictionary<nint, string> _handles = [];
    private readonly Dictionary<nint, long> _allocations = [];
    private readonly Dictionary<nint, (string Entry, int ArgumentBytes)> _functions = [];
    private readonly Dictionary<nint, List<FakeLaunch>> _graphs = [];
    private readonly Dictionary<nint, string> _texts = [];
    private readonly Dictionary<nint, GuardedMemory> _guarded = [];
    private List<FakeLaunch>? _capture;
    private nint _nextHandle = 1000;

    public FakeCudaDriver() => _current = this;

    public int Version { get; init; } = 12080;

    public int DeviceCount { get; init; } = 1;

    public int Major { get; init; } = 9;

    public int Minor { get; init; }

    public int MultiprocessorCount { get; init; } = 132;

    public int MaxSharedBytes { get; init; } = 227 * 1024;

    public long TotalBytes { get; init; } = 1L << 30;

    /// <summary>The functions called, in order, but for questions about the device.</summary>
    public List<string> Calls { get; } = [];

    /// <summary>What a driver would have refused, or would have crashed on.</summary>
    public List<string> Problems { get; } = [];

    /// <summary>What functions return instead of doing anything, by name.</summary>
    public Dictionary<string, int> Failures { get; } = [];

    public List<FakeLaunch> Launches { get; } = [];

    /// <summary>Whether allocations end where nothing may be read, to 16 bytes; then they begin at multiples of 16 only.</summary>
    public bool GuardsMemory { get; init; }

    /// <summary>Whether launches do nothing at all, so that what they cost the caller can be seen.</summary>
    public bool IgnoresLaunches { get; init; }

    /// <summary>Runs a kernel for real, and returns what the driver would; null when launches are only recorded.</summary>
    public Func<FakeLaunch, int>? Runner { get; init; }

    public long UsedBytes => _allocations.Values.Sum();

    /// <summary>Contexts, streams, events, modules, graphs, and memory that nobody gave back.</summary>
    public IEnumerable<string> Alive =>
        _handles.Values.Concat(_allocations.Values.Select(byteCount => $"{byteCount} bytes"));

    private static FakeCudaDriver Current => _current ?? throw new InvalidOperationException("No fake driver on this thread.");

    public CudaDriver Open() => new(Table());

    public void Dispose()
    {
        foreach (nint address in _allocations.Keys)
        {
            Release(address);
        }

        foreach (nint text in _texts.Keys)
        {
            Marshal.FreeCoTaskMem(text);
        }

        _allocations.Clear();
        _current = null;
    }

    private int Call(string name, Func<int> work)
    {
        Calls.Add(name);
        if (Failures.TryGetValue(name, out int failure))
        {
            return failure;
        }

        int result = work();
        if (result != 0 && result != CudaException.OutOfMemory)
        {
            Problems.Add($"{name} returned {result}");
        }

        return result;
    }

    private int Create(string kind, string call, nint* handle)
    {
        nint created = ++_nextHandle;
        *handle = created;
        return Call(call, () =>
        {
            _handles[created] = kind;
            return 0;
        });
    }

    private int Destroy(string kind, string call, nint handle) =>
        Call(call, () => _handles.TryGetValue(handle, out string? found) && found == kind && _handles.Remove(handle)
            ? 0
            : InvalidHandle);

    private int Use(string kind, string call, nint handle) =>
        Call(call, () => _handles.TryGetValue(handle, out string? found) && found == kind ? 0 : InvalidHandle);

    private int Allocate(nint* address, nuint byteCount)
    {
        long wanted = (long)byteCount;
        nint allocated = 0;
        int result = Call("cuMemAlloc", () =>
        {
            if (wanted > TotalBytes - UsedBytes)
            {
                return CudaException.OutOfMemory;
            }

            allocated = TakeMemory(wanted);
            NativeMemory.Fill((void*)allocated, byteCount, 0xFF);
            _allocations[allocated] = wanted;
            return 0;
        });
        *address = allocated;
        return result;
    }

    private int Free(string call, nint address) => Call(call, () =>
    {
        if (!_allocations.Remove(address))
        {
            return InvalidValue;
        }

        Release(address);
        return 0;
    });

    private nint TakeMemory(long byteCount)
    {
        if (!GuardsMemory)
        {
            return (nint)NativeMemory.AlignedAlloc((nuint)byteCount, CudaArena.AlignmentBytes);
        }

        GuardedMemory memory = new((byteCount + 15) / 16 * 16);
        _guarded[(nint)memory.Data] = memory;
        return (nint)memory.Data;
    }

    private void Release(nint address)
    {
        if (_guarded.Remove(address, out GuardedMemory? memory))
        {
            memory.Dispose();
        }
        else
        {
            NativeMemory.AlignedFree((void*)address);
        }
    }

    private bool IsInside(nint address, nuint byteCount) => _allocations.Any(allocation =>
        address >= allocation.Key && address - allocation.Key <= allocation.Value - (long)byteCount);

    private int Copy(string call, void* source, void* destination, nuint byteCount, nint deviceAddress) => Call(call, () =>
    {
        if (_capture is not null)
        {
            return CaptureUnsupported;
        }

        if (!IsInside(deviceAddress, byteCount))
        {
            return InvalidValue;
        }

        Buffer.MemoryCopy(source, destination, byteCount, byteCount);
        return 0;
    });

    private int LoadModule(nint* handle, byte* text)
    {
        int result = Create("module", "cuModuleLoadDataEx", handle);
        string ptx = Marshal.PtrToStringUTF8((nint)text)!;
        foreach (KeyValuePair<string, int> entry in PtxEntries.Read(ptx))
        {
            _functions[++_nextHandle] = (entry.Key, entry.Value);
        }

        return result;
    }

    private int FindFunction(nint* function, byte* name)
    {
        string entry = Marshal.PtrToStringUTF8((nint)name)!;
        nint found = _functions.FirstOrDefault(candidate => candidate.Value.Entry == entry).Key;
        *function = found;
        return Call("cuModuleGetFunction", () => found != 0 ? 0 : 500);
    }

    private int Launch(nint function, LaunchShape shape, void** parameters)
    {
        (string entry, int argumentBytes) = _functions[function];
        FakeLaunch launch = new(entry, shape, new ReadOnlySpan<byte>(parameters[0], argumentBytes).ToArray());
        return Call("cuLaunchKernel", () =>
        {
            if (_capture is not null)
            {
                _capture.Add(launch);
                return 0;
            }

            return Run(launch);
        });
    }

    private int Run(FakeLaunch launch)
    {
        Launches.Add(launch);
        return Runner?.Invoke(launch) ?? 0;
    }

    private int BeginCapture() => Call("cuStreamBeginCapture", () =>
    {
        if (_capture is not null)
        {
            return CaptureUnsupported;
        }

        _capture = [];
        return 0;
    });

    private int EndCapture(nint* graph)
    {
        List<FakeLaunch> captured = _capture ?? [];
        _capture = null;
        int result = Create("graph", "cuStreamEndCapture", graph);
        _graphs[*graph] = captured;
        return result;
    }

    private int Instantiate(nint* executable, nint graph)
    {
        List<FakeLaunch> captured = _graphs[graph];
        int result = Create("executable graph", "cuGraphInstantiate", executable);
        if (result != 0)
        {
            *executable = 0;
            return result;
        }

        _graphs[*executable] = captured;
        return result;
    }

    private int LaunchGraph(nint executable) => Call("cuGraphLaunch", () =>
    {
        if (!_handles.TryGetValue(executable, out string? kind) || kind != "executable graph")
        {
            return InvalidHandle;
        }

        return _graphs[executable].Select(Run).FirstOrDefault(result => result != 0);
    });

    private byte* Text(string text)
    {
        nint pointer = Marshal.StringToCoTaskMemUTF8(text);
        _texts[pointer] = text;
        return (byte*)pointer;
    }

    private static void WriteText(byte* destination, int length, string text)
    {
        Span<byte> bytes = new(destination, length);
        bytes[Encoding.UTF8.GetBytes(text, bytes)] = 0;
    }
}
