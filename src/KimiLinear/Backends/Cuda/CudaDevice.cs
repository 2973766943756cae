using System.Globalization;
using System.Runtime.InteropServices;

namespace KimiLinear.Backends;

/// <summary>One GPU: its abilities, its memory and its primary context, which this object holds until it is disposed.</summary>
/// <remarks>
/// The context is the one that other CUDA libraries of the process use too, so addresses can be exchanged with them. A thread
/// calls <see cref="MakeCurrent"/> before anything else; what was made here is disposed before the device.
/// </remarks>
internal sealed unsafe class CudaDevice : IDisposable
{
    // Numbers of CUdevice_attribute.
    private const int MultiprocessorCountAttribute = 16;
    private const int MajorAttribute = 75;
    private const int MinorAttribute = 76;
    private const int MaxSharedMemoryAttribute = 97;

    // What the PTX in the library asks for: version 7.5 everywhere, version 8.0 for the architecture-specific form.
    private const int LowestVersion = 11050;
    private const int HopperVersion = 12000;
    private const int LowestMajor = 8;

    private readonly int _handle;
    private nint _context;

    /// <param name="driver">The driver of the machine.</param>
    /// <param name="index">Which GPU, counted from 0 as the driver counts.</param>
    /// <exception cref="DeviceUnavailableException">There is no such GPU, or it or its driver is too old.</exception>
    public CudaDevice(CudaDriver driver, int index)
    {
        Driver = driver;
        Index = index;
        if (index < 0 || index >= driver.DeviceCount)
        {
            throw new DeviceUnavailableException(
                $"CUDA device {index} was asked for, but the driver shows {driver.DeviceCount}, counted from 0.");
        }

        int handle;
        driver.Check(driver.Functions.DeviceGet(&handle, index), "cuDeviceGet");
        _handle = handle;
        Name = ReadName();
        Major = ReadAttribute(MajorAttribute);
        Minor = ReadAttribute(MinorAttribute);
        MultiprocessorCount = ReadAttribute(MultiprocessorCountAttribute);
        MaxSharedBytes = ReadAttribute(MaxSharedMemoryAttribute);
        if (Major < LowestMajor)
        {
            throw new DeviceUnavailableException(
                $"{Name} has compute capability {Major}.{Minor}, but {LowestMajor}.0 (Ampere) or later is needed. Use the CPU.");
        }

        if (driver.Version < LowestVersion)
        {
            throw new DeviceUnavailableException(
                $"The driver of {Name} serves CUDA up to {Dotted(driver.Version)}, but {Dotted(LowestVersion)} is needed. "
                + "Update NVIDIA's driver.");
        }

        nint context;
        driver.Check(driver.Functions.DevicePrimaryCtxRetain(&context, handle), "cuDevicePrimaryCtxRetain");
        _context = context;
        try
        {
            MakeCurrent();
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public CudaDriver Driver { get; }

    public int Index { get; }

    public string Name { get; }

    /// <summary>Compute capability, before the dot.</summary>
    public int Major { get; }

    /// <summary>Compute capability, behind the dot.</summary>
    public int Minor { get; }

    /// <summary>Processors of the GPU; launches choose their shapes by it.</summary>
    public int MultiprocessorCount { get; init; }

    /// <summary>The most shared memory one block may ask for.</summary>
    public int MaxSharedBytes { get; }

    /// <summary>Which of the compiled forms of a kernel the device takes.</summary>
    public string Architecture => Major == 9 && Minor == 0 && Driver.Version >= HopperVersion ? "sm_90a" : "sm_80";

    /// <summary>Makes the device's context that of the calling thread.</summary>
    public void MakeCurrent()
    {
        ObjectDisposedException.ThrowIf(_context == 0, this);
        Driver.Check(Driver.Functions.CtxSetCurrent(_context), "cuCtxSetCurrent");
    }

    /// <summary>Bytes of the device's memory: those nobody holds, and all.</summary>
    public (long Free, long Total) Memory
    {
        get
        {
            nuint free;
            nuint total;
            Driver.Check(Driver.Functions.MemGetInfo(&free, &total), "cuMemGetInfo");
            return ((long)free, (long)total);
        }
    }

    /// <summary>Takes memory of the device, at an address that is a multiple of 256.</summary>
    /// <param name="byteCount">Size in bytes; positive.</param>
    /// <param name="purpose">What for, for the message when there is not enough.</param>
    /// <exception cref="DeviceMemoryException">There is not enough memory.</exception>
    public nint Allocate(long byteCount, string purpose)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(byteCount);
        nint address;
        int result = Driver.Functions.MemAlloc(&address, (nuint)byteCount);
        if (result == CudaException.OutOfMemory)
        {
            (long free, long total) = Memory;
            throw new DeviceMemoryException(Name, purpose, byteCount, free, total);
        }

        Driver.Check(result, "cuMemAlloc", byteCount, $"bytes for {purpose}");
        return address;
    }

    /// <summary>Gives back what <see cref="Allocate"/> gave.</summary>
    public void Free(nint address) => Driver.Check(Driver.Functions.MemFree(address), "cuMemFree");

    public void Dispose()
    {
        if (_context != 0)
        {
            _context = 0;
            Driver.Check(Driver.Functions.DevicePrimaryCtxRelease(_handle), "cuDevicePrimaryCtxRelease");
        }
    }

    private static string Dotted(int version) =>
        string.Create(CultureInfo.InvariantCulture, $"{version / 1000}.{version % 1000 / 10}");

    private string ReadName()
    {
        const int Length = 256;
        byte* name = stackalloc byte[Length];
        Driver.Check(Driver.Functions.DeviceGetName(name, Length, _handle), "cuDeviceGetName");
        return Marshal.PtrToStringUTF8((nint)name) ?? "";
    }

    private int ReadAttribute(int attribute)
    {
        int value;
        int result = Driver.Functions.DeviceGetAttribute(&value, attribute, _handle);
        Driver.Check(result, "cuDeviceGetAttribute", attribute, "as number");
        return value;
    }
}
