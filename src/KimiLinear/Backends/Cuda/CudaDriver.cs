using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Runtime.InteropServices;

namespace KimiLinear.Backends;

/// <summary>The CUDA driver of this machine, initialised, with its errors as exceptions.</summary>
internal sealed unsafe class CudaDriver
{
    private readonly CudaFunctions _functions;

    /// <exception cref="DeviceUnavailableException">The driver cannot be initialised.</exception>
    public CudaDriver(CudaFunctions functions)
    {
        _functions = functions;
        int result = functions.Init(0);
        if (result != 0)
        {
            throw new DeviceUnavailableException($"The CUDA driver cannot be initialised: {Describe(result)}.");
        }

        int version;
        Check(functions.DriverGetVersion(&version), "cuDriverGetVersion");
        Version = version;
        int count;
        Check(functions.DeviceGetCount(&count), "cuDeviceGetCount");
        DeviceCount = count;
    }

    /// <summary>The functions themselves; what they return goes to <see cref="Check"/>.</summary>
    public ref readonly CudaFunctions Functions => ref _functions;

    /// <summary>The newest CUDA version the driver serves, as 1000 · major + 10 · minor.</summary>
    public int Version { get; }

    public int DeviceCount { get; }

    /// <summary>Loads the driver that the machine has.</summary>
    /// <exception cref="DeviceUnavailableException">There is none, or it is too old.</exception>
    public static CudaDriver Load()
    {
        if (!NativeLibrary.TryLoad(NvidiaDriver.LibraryName, out nint library))
        {
            throw new DeviceUnavailableException(
                $"There is no CUDA driver on this machine: {NvidiaDriver.LibraryName} was not found. "
                + "Install NVIDIA's driver, or use the CPU.");
        }

        try
        {
            return new CudaDriver(CudaFunctions.Load(library));
        }
        catch (EntryPointNotFoundException exception)
        {
            throw new DeviceUnavailableException(
                $"The CUDA driver of this machine is too old; one for CUDA 11.5 or later is needed. ({exception.Message})",
                exception);
        }
    }

    /// <summary>Throws when a call failed.</summary>
    /// <param name="result">What the call returned.</param>
    /// <param name="call">The function's name.</param>
    /// <param name="amount">A number that says what was asked for.</param>
    /// <param name="unit">What the number counts, "bytes" for instance; empty where there is no number.</param>
    public void Check(int result, string call, long amount = 0, string unit = "")
    {
        if (result != 0)
        {
            Throw(result, call, unit.Length == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $" with {amount:N0} {unit}"));
        }
    }

    /// <summary>The error as the driver names and explains it.</summary>
    public string Describe(int result)
    {
        byte* name = null;
        byte* text = null;
        bool isKnown = _functions.GetErrorName(result, &name) == 0 && _functions.GetErrorString(result, &text) == 0;
        return isKnown
            ? $"{Marshal.PtrToStringUTF8((nint)name)} ({result}), {Marshal.PtrToStringUTF8((nint)text)}"
            : $"error {result}";
    }

    [DoesNotReturn]
    private void Throw(int result, string call, string sizes) =>
        throw new CudaException($"{call}{sizes} failed: {Describe(result)}.", result);
}
