using System.Runtime.InteropServices;

namespace KimiLinear.Backends;

/// <summary>Asks NVIDIA's driver for its devices, before anything is loaded that would not say why it finds none.</summary>
internal static class NvidiaDriver
{
    /// <summary>The driver's library, as the system finds it.</summary>
    public static string LibraryName => OperatingSystem.IsWindows() ? "nvcuda.dll" : "libcuda.so.1";

    /// <summary>Checks that the driver is there and has the device.</summary>
    /// <param name="index">The device's index, from 0, among those the process may see.</param>
    /// <exception cref="DeviceUnavailableException">There is no driver, it does not start, or it has no such device.</exception>
    public static unsafe void RequireDevice(int index)
    {
        if (!NativeLibrary.TryLoad(LibraryName, out nint driver))
        {
            throw new DeviceUnavailableException(
                $"No NVIDIA driver was found: {LibraryName} cannot be loaded. "
                + "Install the driver of the graphics card, or choose the CPU.");
        }

        if (!NativeLibrary.TryGetExport(driver, "cuInit", out nint initialize)
            || !NativeLibrary.TryGetExport(driver, "cuDeviceGetCount", out nint countDevices))
        {
            throw new DeviceUnavailableException($"{LibraryName} is no NVIDIA driver: it has no cuInit or no cuDeviceGetCount.");
        }

        Require(((delegate* unmanaged<uint, int>)initialize)(0), "cuInit");
        int count;
        Require(((delegate* unmanaged<int*, int>)countDevices)(&count), "cuDeviceGetCount");
        if (index >= count)
        {
            throw new DeviceUnavailableException(
                $"There is no CUDA device {index}: this process sees {count}, counted from 0. "
                + "Choose another one; CUDA_VISIBLE_DEVICES hides those it does not list.");
        }
    }

    private static void Require(int status, string function)
    {
        if (status != 0)
        {
            string meaning = status switch
            {
                100 => "no device that this process may see; CUDA_VISIBLE_DEVICES hides those it does not list",
                803 => "the driver's library and its kernel module are of different versions; a restart of the machine may help",
                _ => "see CUresult in NVIDIA's documentation of the driver",
            };
            throw new DeviceUnavailableException($"The NVIDIA driver does not start: {function} returned {status} ({meaning}).");
        }
    }
}
