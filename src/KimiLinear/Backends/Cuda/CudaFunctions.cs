using System.Runtime.InteropServices;

namespace KimiLinear.Backends;

/// <summary>The functions of the CUDA driver that are used here, as the driver exports them.</summary>
/// <remarks>
/// A table instead of imports: a machine without CUDA never looks for the library unless asked to, and tests fill the table with
/// functions of their own. Handles and device addresses are nint, sizes nuint; every function returns a CUresult, 0 for success.
/// </remarks>
internal unsafe struct CudaFunctions
{
    public delegate* unmanaged<uint, int> Init;
    public delegate* unmanaged<int*, int> DriverGetVersion;
    public delegate* unmanaged<int, byte**, int> GetErrorName;
    public delegate* unmanaged<int, byte**, int> GetErrorString;

    public delegate* unmanaged<int*, int> DeviceGetCount;
    public delegate* unmanaged<int*, int, int> DeviceGet;
    public delegate* unmanaged<byte*, int, int, int> DeviceGetName;
    public delegate* unmanaged<int*, int, int, int> DeviceGetAttribute;
    public delegate* unmanaged<nint*, int, int> DevicePrimaryCtxRetain;
    public delegate* unmanaged<int, int> DevicePrimaryCtxRelease;
    public delegate* unmanaged<nint, int> CtxSetCurrent;

    public delegate* unmanaged<nuint*, nuint*, int> MemGetInfo;
    public delegate* unmanaged<nint*, nuint, int> MemAlloc;
    public delegate* unmanaged<nint, int> MemFree;
    public delegate* unmanaged<void**, nuint, uint, int> MemHostAlloc;
    public delegate* unmanaged<void*, int> MemFreeHost;
    public delegate* unmanaged<nint, void*, nuint, nint, int> MemcpyHtoDAsync;
    public delegate* unmanaged<void*, nint, nuint, nint, int> MemcpyDtoHAsync;
    public delegate* unmanaged<nint, nint, nuint, nint, int> MemcpyDtoDAsync;
    public delegate* unmanaged<nint, byte, nuint, nint, int> MemsetD8Async;

    public delegate* unmanaged<nint*, void*, uint, int*, void**, int> ModuleLoadDataEx;
    public delegate* unmanaged<nint, int> ModuleUnload;
    public delegate* unmanaged<nint*, nint, byte*, int> ModuleGetFunction;
    public delegate* unmanaged<nint, int, int, int> FuncSetAttribute;
    public delegate* unmanaged<nint, uint, uint, uint, uint, uint, uint, uint, nint, void**, void**, int> LaunchKernel;

    public delegate* unmanaged<nint*, uint, int> StreamCreate;
    public delegate* unmanaged<nint, int> StreamDestroy;
    public delegate* unmanaged<nint, int> StreamSynchronize;
    public delegate* unmanaged<nint, nint, uint, int> StreamWaitEvent;
    public delegate* unmanaged<nint, int, int> StreamBeginCapture;
    public delegate* unmanaged<nint, nint*, int> StreamEndCapture;

    public delegate* unmanaged<nint*, uint, int> EventCreate;
    public delegate* unmanaged<nint, nint, int> EventRecord;
    public delegate* unmanaged<nint, int> EventSynchronize;
    public delegate* unmanaged<float*, nint, nint, int> EventElapsedTime;
    public delegate* unmanaged<nint, int> EventDestroy;

    public delegate* unmanaged<nint*, nint, ulong, int> GraphInstantiate;
    public delegate* unmanaged<nint, nint, int> GraphLaunch;
    public delegate* unmanaged<nint, int> GraphExecDestroy;
    public delegate* unmanaged<nint, int> GraphDestroy;

    /// <summary>Reads the table from a loaded driver.</summary>
    /// <exception cref="EntryPointNotFoundException">The driver is too old to have one of the functions.</exception>
    public static CudaFunctions Load(nint library)
    {
        nint Find(string name) => NativeLibrary.GetExport(library, name);
        return new CudaFunctions
        {
            Init = (delegate* unmanaged<uint, int>)Find("cuInit"),
            DriverGetVersion = (delegate* unmanaged<int*, int>)Find("cuDriverGetVersion"),
            GetErrorName = (delegate* unmanaged<int, byte**, int>)Find("cuGetErrorName"),
            GetErrorString = (delegate* unmanaged<int, byte**, int>)Find("cuGetErrorString"),

            DeviceGetCount = (delegate* unmanaged<int*, int>)Find("cuDeviceGetCount"),
            DeviceGet = (delegate* unmanaged<int*, int, int>)Find("cuDeviceGet"),
            DeviceGetName = (delegate* unmanaged<byte*, int, int, int>)Find("cuDeviceGetName"),
            DeviceGetAttribute = (delegate* unmanaged<int*, int, int, int>)Find("cuDeviceGetAttribute"),
            DevicePrimaryCtxRetain = (delegate* unmanaged<nint*, int, int>)Find("cuDevicePrimaryCtxRetain"),
            DevicePrimaryCtxRelease = (delegate* unmanaged<int, int>)Find("cuDevicePrimaryCtxRelease_v2"),
            CtxSetCurrent = (delegate* unmanaged<nint, int>)Find("cuCtxSetCurrent"),

            MemGetInfo = (delegate* unmanaged<nuint*, nuint*, int>)Find("cuMemGetInfo_v2"),
            MemAlloc = (delegate* unmanaged<nint*, nuint, int>)Find("cuMemAlloc_v2"),
            MemFree = (delegate* unmanaged<nint, int>)Find("cuMemFree_v2"),
            MemHostAlloc = (delegate* unmanaged<void**, nuint, uint, int>)Find("cuMemHostAlloc"),
            MemFreeHost = (delegate* unmanaged<void*, int>)Find("cuMemFreeHost"),
            MemcpyHtoDAsync = (delegate* unmanaged<nint, void*, nuint, nint, int>)Find("cuMemcpyHtoDAsync_v2"),
            MemcpyDtoHAsync = (delegate* unmanaged<void*, nint, nuint, nint, int>)Find("cuMemcpyDtoHAsync_v2"),
            MemcpyDtoDAsync = (delegate* unmanaged<nint, nint, nuint, nint, int>)Find("cuMemcpyDtoDAsync_v2"),
            MemsetD8Async = (delegate* unmanaged<nint, byte, nuint, nint, int>)Find("cuMemsetD8Async"),

            ModuleLoadDataEx = (delegate* unmanaged<nint*, void*, uint, int*, void**, int>)Find("cuModuleLoadDataEx"),
            ModuleUnload = (delegate* unmanaged<nint, int>)Find("cuModuleUnload"),
            ModuleGetFunction = (delegate* unmanaged<nint*, nint, byte*, int>)Find("cuModuleGetFunction"),
            FuncSetAttribute = (delegate* unmanaged<nint, int, int, int>)Find("cuFuncSetAttribute"),
            LaunchKernel = (delegate* unmanaged<nint, uint, uint, uint, uint, uint, uint, uint, nint, void**, void**, int>)
                Find("cuLaunchKernel"),

            StreamCreate = (delegate* unmanaged<nint*, uint, int>)Find("cuStreamCreate"),
            StreamDestroy = (delegate* unmanaged<nint, int>)Find("cuStreamDestroy_v2"),
            StreamSynchronize = (delegate* unmanaged<nint, int>)Find("cuStreamSynchronize"),
            StreamWaitEvent = (delegate* unmanaged<nint, nint, uint, int>)Find("cuStreamWaitEvent"),
            StreamBeginCapture = (delegate* unmanaged<nint, int, int>)Find("cuStreamBeginCapture_v2"),
            StreamEndCapture = (delegate* unmanaged<nint, nint*, int>)Find("cuStreamEndCapture"),

            EventCreate = (delegate* unmanaged<nint*, uint, int>)Find("cuEventCreate"),
            EventRecord = (delegate* unmanaged<nint, nint, int>)Find("cuEventRecord"),
            EventSynchronize = (delegate* unmanaged<nint, int>)Find("cuEventSynchronize"),
            EventElapsedTime = (delegate* unmanaged<float*, nint, nint, int>)Find("cuEventElapsedTime"),
            EventDestroy = (delegate* unmanaged<nint, int>)Find("cuEventDestroy_v2"),

            GraphInstantiate = (delegate* unmanaged<nint*, nint, ulong, int>)Find("cuGraphInstantiateWithFlags"),
            GraphLaunch = (delegate* unmanaged<nint, nint, int>)Find("cuGraphLaunch"),
            GraphExecDestroy = (delegate* unmanaged<nint, int>)Find("cuGraphExecDestroy"),
            GraphDestroy = (delegate* unmanaged<nint, int>)Find("cuGraphDestroy"),
        };
    }
}
