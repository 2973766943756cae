using System.Runtime.InteropServices;
using System.Runtime.Versioning;

namespace KimiLinear.Backends;

/// <summary>Loads libtorch from a folder, if it is a version that TorchSharp works with.</summary>
[SupportedOSPlatform("linux")]
internal static class LibtorchLibrary
{
    /// <summary>Loads the libraries of a folder that holds libtorch.</summary>
    /// <exception cref="DeviceUnavailableException">It is another version, or does not load.</exception>
    public static void Load(string folder)
    {
        try
        {
            // By path and from the bottom up: what the others need is then found by its name among what is loaded already,
            // and not in a folder of LD_LIBRARY_PATH, which would come before theirs.
            LoadIfPresent(folder, "libc10.so");
            RequireAcceptedVersion(NativeLibrary.Load(Path.Combine(folder, LibtorchFolder.CpuLibrary)), folder);
            LoadIfPresent(folder, "libc10_cuda.so");
            LoadIfPresent(folder, LibtorchFolder.CudaLibrary);
            NativeLibrary.Load(Path.Combine(folder, "libtorch.so"));
        }
        catch (Exception error) when (error is DllNotFoundException or BadImageFormatException)
        {
            throw new DeviceUnavailableException($"The libtorch in '{folder}' does not load: {LoaderMessage.Of(error)}", error);
        }
    }

    private static void LoadIfPresent(string folder, string name)
    {
        string path = Path.Combine(folder, name);
        if (File.Exists(path))
        {
            NativeLibrary.Load(path);
        }
    }

    private static unsafe void RequireAcceptedVersion(nint library, string folder)
    {
        if (!NativeLibrary.TryGetExport(library, "aoti_torch_abi_version", out nint function))
        {
            throw NotAccepted("a libtorch that does not state its version", folder);
        }

        ulong version = ((delegate* unmanaged<ulong>)function)();
        if (!LibtorchVersion.IsAccepted(version))
        {
            throw NotAccepted($"libtorch {LibtorchVersion.Text(version)}", folder);
        }
    }

    private static DeviceUnavailableException NotAccepted(string found, string folder) =>
        new($"TorchSharp {TorchPackages.Version} works with {LibtorchVersion.Accepted}, but '{folder}' holds {found}.");
}
