using System.Runtime.InteropServices;
using KimiLinear.Backends;

namespace KimiLinear.Tests.Backends.Cuda;

internal sealed unsafe partial class FakeCudaDriver
{
    private static CudaFunctions Table() => new()
    {
        Init = &Init,
        DriverGetVersion = &DriverGetVersion,
        GetErrorName = &GetErrorName,
        GetErrorString = &GetErrorString,
        DeviceGetCount = &DeviceGetCount,
        DeviceGet = &DeviceGet,
        DeviceGetName = &DeviceGetName,
        DeviceGetAttribute = &DeviceGetAttribute,
        DevicePrimaryCtxRetain = &DevicePrimaryCtxRetain,
        DevicePrimaryCtxRelease = &DevicePrimaryCtxRelease,
        CtxSetCurrent = &CtxSetCurrent,
        MemGetInfo = &MemGetInfo,
        MemAlloc = &MemAlloc,
        MemFree = &MemFree,
        MemHostAlloc = &MemHostAlloc,
        MemFreeHost = &MemFreeHost,
        MemcpyHtoDAsync = &MemcpyHtoDAsync,
        MemcpyDtoHAsync = &MemcpyDtoHAsync,
        MemcpyDtoDAsync = &MemcpyDtoDAsync,
        MemsetD8Async = &MemsetD8Async,
        ModuleLoadDataEx = &ModuleLoadDataEx,
        ModuleUnload = &ModuleUnload,
        ModuleGetFunction = &ModuleGetFunction,
        FuncSetAttribute = &FuncSetAttribute,
        LaunchKernel = &LaunchKernel,
        StreamCreate = &StreamCreate,
        StreamDestroy = &StreamDestroy,
        StreamSynchronize = &StreamSynchronize,
        StreamWaitEvent = &StreamWaitEvent,
        StreamBeginCapture = &StreamBeginCapture,
        StreamEndCapture = &StreamEndCapture,
        EventCreate = &EventCreate,
        EventRecord = &EventRecord,
        EventSynchronize = &EventSynchronize,
        EventElapsedTime = &EventElapsedTime,
        EventDestroy = &EventDestroy,
        GraphInstantiate = &GraphInstantiate,
        GraphLaunch = &GraphLaunch,
        GraphExecDestroy = &GraphExecDestroy,
        GraphDestroy = &GraphDestroy,
    };

    [UnmanagedCallersOnly]
    private static int Init(uint flags) => Current.Call("cuInit", () => 0);

    [UnmanagedCallersOnly]
    private static int DriverGetVersion(int* version)
    {
        *version = Current.Version;
        return 0;
    }

    [UnmanagedCallersOnly]
    private static int GetErrorName(int error, byte** name)
    {
        *name = Current.Text($"CUDA_ERROR_{error}");
        return 0;
    }

    [UnmanagedCallersOnly]
    private static int GetErrorString(int error, byte** text)
    {
        *text = Current.Text($"what error {error} means");
        return 0;
    }

    [UnmanagedCallersOnly]
    private static int DeviceGetCount(int* count)
    {
        *count = Current.DeviceCount;
        return 0;
    }

    [UnmanagedCallersOnly]
    private static int DeviceGet(int* device, int index)
    {
        *device = index;
        return 0;
    }

    [UnmanagedCallersOnly]
    private static int DeviceGetName(byte* name, int length, int device)
    {
        WriteText(name, length, "Fake GPU");
        return 0;
    }

    [UnmanagedCallersOnly]
    private static int DeviceGetAttribute(int* value, int attribute, int device)
    {
        *value = attribute switch
        {
            16 => Current.MultiprocessorCount,
            75 => Current.Major,
            76 => Current.Minor,
            97 => Current.MaxSharedBytes,
            _ => 0,
        };
        return 0;
    }

    [UnmanagedCallersOnly]
    private static int DevicePrimaryCtxRetain(nint* context, int device) =>
        Current.Create("context", "cuDevicePrimaryCtxRetain", context);

    [UnmanagedCallersOnly]
    private static int DevicePrimaryCtxRelease(int device)
    {
        FakeCudaDriver driver = Current;
        nint context = driver._handles.FirstOrDefault(handle => handle.Value == "context").Key;
        string[] left = [.. driver.Alive.Where(alive => alive != "context")];
        if (left.Length > 0)
        {
            driver.Problems.Add($"the context was released before {string.Join(", ", left)}");
        }

        return driver.Destroy("context", "cuDevicePrimaryCtxRelease", context);
    }

    [UnmanagedCallersOnly]
    private static int CtxSetCurrent(nint context) => Current.Use("context", "cuCtxSetCurrent", context);

    [UnmanagedCallersOnly]
    private static int MemGetInfo(nuint* free, nuint* total)
    {
        *free = (nuint)(Current.TotalBytes - Current.UsedBytes);
        *total = (nuint)Current.TotalBytes;
        return 0;
    }

    [UnmanagedCallersOnly]
    private static int MemAlloc(nint* address, nuint byteCount) => Current.Allocate(address, byteCount);

    [UnmanagedCallersOnly]
    private static int MemFree(nint address) => Current.Free("cuMemFree", address);

    [UnmanagedCallersOnly]
    private static int MemHostAlloc(void** data, nuint byteCount, uint flags) => Current.Allocate((nint*)data, byteCount);

    [UnmanagedCallersOnly]
    private static int MemFreeHost(void* data) => Current.Free("cuMemFreeHost", (nint)data);

    [UnmanagedCallersOnly]
    private static int MemcpyHtoDAsync(nint destination, void* source, nuint byteCount, nint stream) =>
        Current.Copy("cuMemcpyHtoDAsync", source, (void*)destination, byteCount, destination);

    [UnmanagedCallersOnly]
    private static int MemcpyDtoHAsync(void* destination, nint source, nuint byteCount, nint stream) =>
        Current.Copy("cuMemcpyDtoHAsync", (void*)source, destination, byteCount, source);

    [UnmanagedCallersOnly]
    private static int MemcpyDtoDAsync(nint destination, nint source, nuint byteCount, nint stream) =>
        Current.IsInside(source, byteCount)
            ? Current.Copy("cuMemcpyDtoDAsync", (void*)source, (void*)destination, byteCount, destination)
            : InvalidValue;

    [UnmanagedCallersOnly]
    private static int MemsetD8Async(nint destination, byte value, nuint byteCount, nint stream)
    {
        FakeCudaDriver driver = Current;
        return driver.Call("cuMemsetD8Async", () =>
        {
            if (!driver.IsInside(destination, byteCount))
            {
                return InvalidValue;
            }

            NativeMemory.Fill((void*)destination, byteCount, value);
            return 0;
        });
    }

    [UnmanagedCallersOnly]
    private static int ModuleLoadDataEx(nint* module, void* image, uint count, int* options, void** values)
    {
        if (Current.Failures.ContainsKey("cuModuleLoadDataEx"))
        {
            WriteText((byte*)values[0], (int)(nint)values[1], "line 1: no such instruction");
        }

        return Current.LoadModule(module, (byte*)image);
    }

    [UnmanagedCallersOnly]
    private static int ModuleUnload(nint module) => Current.Destroy("module", "cuModuleUnload", module);

    [UnmanagedCallersOnly]
    private static int ModuleGetFunction(nint* function, nint module, byte* name) => Current.FindFunction(function, name);

    [UnmanagedCallersOnly]
    private static int FuncSetAttribute(nint function, int attribute, int value) =>
        Current.Call("cuFuncSetAttribute", () => value <= Current.MaxSharedBytes ? 0 : InvalidValue);

    [UnmanagedCallersOnly]
    private static int LaunchKernel(
        nint function,
        uint gridX,
        uint gridY,
        uint gridZ,
        uint blockX,
        uint blockY,
        uint blockZ,
        uint sharedBytes,
        nint stream,
        void** parameters,
        void** extra) => Current.IgnoresLaunches
            ? 0
            : Current.Launch(
                function, new LaunchShape((int)gridX, (int)gridY, (int)gridZ, (int)blockX, (int)sharedBytes), parameters);

    [UnmanagedCallersOnly]
    private static int StreamCreate(nint* stream, uint flags) => Current.Create("stream", "cuStreamCreate", stream);

    [UnmanagedCallersOnly]
    private static int StreamDestroy(nint stream) => Current.Destroy("stream", "cuStreamDestroy", stream);

    [UnmanagedCallersOnly]
    private static int StreamSynchronize(nint stream) => Current.Use("stream", "cuStreamSynchronize", stream);

    [UnmanagedCallersOnly]
    private static int StreamWaitEvent(nint stream, nint marker, uint flags) => Current.Use("event", "cuStreamWaitEvent", marker);

    [UnmanagedCallersOnly]
    private static int StreamBeginCapture(nint stream, int mode) => Current.BeginCapture();

    [UnmanagedCallersOnly]
    private static int StreamEndCapture(nint stream, nint* graph) => Current.EndCapture(graph);

    [UnmanagedCallersOnly]
    private static int EventCreate(nint* marker, uint flags) => Current.Create("event", "cuEventCreate", marker);

    [UnmanagedCallersOnly]
    private static int EventRecord(nint marker, nint stream) => Current.Use("event", "cuEventRecord", marker);

    [UnmanagedCallersOnly]
    private static int EventSynchronize(nint marker) => Current.Use("event", "cuEventSynchronize", marker);

    [UnmanagedCallersOnly]
    private static int EventElapsedTime(float* milliseconds, nint start, nint end)
    {
        *milliseconds = 2.5f;
        return Current.Use("event", "cuEventElapsedTime", start);
    }

    [UnmanagedCallersOnly]
    private static int EventDestroy(nint marker) => Current.Destroy("event", "cuEventDestroy", marker);

    [UnmanagedCallersOnly]
    private static int GraphInstantiate(nint* executable, nint graph, ulong flags) => Current.Instantiate(executable, graph);

    [UnmanagedCallersOnly]
    private static int GraphLaunch(nint executable, nint stream) => Current.LaunchGraph(executable);

    [UnmanagedCallersOnly]
    private static int GraphExecDestroy(nint executable) => Current.Destroy("executable graph", "cuGraphExecDestroy", executable);

    [UnmanagedCallersOnly]
    private static int GraphDestroy(nint graph) => Current.Destroy("graph", "cuGraphDestroy", graph);
}
