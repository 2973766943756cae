using System.Reflection;
using System.Runtime.InteropServices;

namespace KimiLinear.Backends;

/// <summary>Brings libtorch and TorchSharp into the process, before anything else names a type of TorchSharp.</summary>
/// <remarks>No method here may name a type of TorchSharp: the runtime would look for the assembly when it compiles the method.</remarks>
internal static class TorchRuntime
{
    private static readonly Lock Gate = new();
    private static bool _isLoaded;

    /// <summary>Finds, checks and loads libtorch and TorchSharp; does nothing when that is done.</summary>
    /// <param name="libtorchFolder">The folder that holds libtorch, or <see langword="null"/> to look where an application has it.</param>
    /// <exception cref="DeviceUnavailableException">A part is missing or does not work.</exception>
    public static void Load(string? libtorchFolder)
    {
        lock (Gate)
        {
            if (_isLoaded)
            {
                return;
            }

            RequireTorchSharp();
            string folder = LibtorchFolder.Find(libtorchFolder);
            if (OperatingSystem.IsLinux())
            {
                NativeLibrary.Load(Path.Combine(folder, "libtorch.so"));
                TorchSharpLibrary.Load();
            }

            _ = TorchProbe.AddOnCpu();
            _isLoaded = true;
        }
    }

    private static void RequireTorchSharp()
    {
        try
        {
            _ = Assembly.Load(new AssemblyName("TorchSharp"));
        }
        catch (FileNotFoundException error)
        {
            throw new DeviceUnavailableException($"TorchSharp was not found. {TorchPackages.Advice}.", error);
        }
    }
}
