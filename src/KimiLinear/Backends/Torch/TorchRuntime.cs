using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.Versioning;

namespace KimiLinear.Backends;

/// <summary>Brings libtorch and TorchSharp into the process, before anything else names a type of TorchSharp.</summary>
/// <remarks>No method here may name such a type: the runtime would look for the assembly when it compiles the method.</remarks>
internal static class TorchRuntime
{
    private static readonly Version Needed = new(TorchPackages.Version);
    private static readonly Lock Gate = new();
    private static string? _loadedFolder;

    /// <summary>Finds, checks and loads libtorch and TorchSharp; does nothing when that is done.</summary>
    /// <param name="libtorchFolder">
    /// The folder that holds libtorch; <see langword="null"/> takes that of the environment variable, or else of the application.
    /// </param>
    /// <exception cref="DeviceUnavailableException">
    /// A part is missing or does not work, or the process has loaded libtorch from another folder.
    /// </exception>
    public static void Load(string? libtorchFolder)
    {
        lock (Gate)
        {
            if (_loadedFolder is null)
            {
                Assembly torchSharp = RequireTorchSharp();
                string folder = OperatingSystem.IsLinux() ? Choose(libtorchFolder) : RequirePackage(libtorchFolder);
                if (OperatingSystem.IsLinux())
                {
                    RequireNoOther(folder, torchSharp);
                    LibtorchLibrary.Load(folder);
                    TorchSharpLibrary.Load();
                }

                RequireResult(folder);
                _loadedFolder = folder;
            }
            else if (OperatingSystem.IsLinux() && !string.IsNullOrEmpty(libtorchFolder))
            {
                _ = Choose(libtorchFolder);
            }
        }
    }

    /// <summary>Checks that TorchSharp can compute on a CUDA device; loads it when that was not done.</summary>
    /// <param name="index">The device's index, from 0, among those the process may see.</param>
    /// <exception cref="DeviceUnavailableException">There is no driver, no such device, or no CUDA in libtorch.</exception>
    public static void RequireCuda(int index)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        NvidiaDriver.RequireDevice(index);
        Load(null);
        string folder = _loadedFolder!;
        if (!File.Exists(Path.Combine(folder, LibtorchFolder.CudaLibrary)))
        {
            throw new DeviceUnavailableException(
                $"The libtorch in '{folder}' was built without CUDA: it has no {LibtorchFolder.CudaLibrary}. "
                + $"Add the package {TorchPackages.Cuda}, version {TorchPackages.Version}, in place of TorchSharp-cpu, "
                + "or name a libtorch with CUDA.");
        }

        RequireCudaResult(folder, index);
    }

    private static Assembly RequireTorchSharp()
    {
        Assembly assembly;
        try
        {
            assembly = Assembly.Load(new AssemblyName("TorchSharp"));
        }
        catch (Exception error) when (error is FileNotFoundException or FileLoadException or BadImageFormatException)
        {
            string problem = error is FileNotFoundException ? "was not found" : $"cannot be loaded ({LoaderMessage.Of(error)})";
            throw new DeviceUnavailableException($"TorchSharp {problem}. {TorchPackages.Advice}.", error);
        }

        Version found = assembly.GetName().Version!;
        return (found.Major, found.Minor) == (Needed.Major, Needed.Minor)
            ? assembly
            : throw new DeviceUnavailableException(
                $"TorchSharp {found.ToString(3)} was found in '{PlaceOf(assembly)}', but KimiLinear works with "
                + $"{Needed.ToString(2)}. {TorchPackages.Advice}.");
    }

    [UnconditionalSuppressMessage("SingleFile", "IL3000", Justification = "An application in one file has the assembly in it.")]
    private static string PlaceOf(Assembly assembly) =>
        assembly.Location is { Length: > 0 } file ? file : AppContext.BaseDirectory;

    // The folder to load libtorch from, or from which it has been loaded.
    [SupportedOSPlatform("linux")]
    private static string Choose(string? libtorchFolder)
    {
        string? named = LibtorchFolder.Named(libtorchFolder);
        string? loaded = MappedLibrary.Find(LibtorchFolder.CpuLibrary);
        if (named is not null && loaded is not null && loaded != RealCpuLibrary(named))
        {
            throw new DeviceUnavailableException(
                $"libtorch of '{named}' cannot be loaded: this process has loaded '{loaded}', and it can hold one libtorch only. "
                + "Name the same folder, or start another process.");
        }

        return named ?? Path.GetDirectoryName(loaded) ?? LibtorchFolder.OfApplication();
    }

    // TorchSharp asks .NET for libtorch by its name. A second libtorch ends the process, with no exception that could be caught.
    [SupportedOSPlatform("linux")]
    private static void RequireNoOther(string folder, Assembly torchSharp)
    {
        string chosen = RealCpuLibrary(folder);
        string? other = LibtorchFolder.ProbedFolders().Append(Path.GetDirectoryName(PlaceOf(torchSharp)) ?? "")
            .Where(place => File.Exists(Path.Combine(place, LibtorchFolder.CpuLibrary)))
            .FirstOrDefault(place => RealCpuLibrary(place) != chosen);
        if (other is not null)
        {
            throw new DeviceUnavailableException(
                $"libtorch of '{folder}' cannot be loaded: TorchSharp would load that of the application too, in '{other}', "
                + "and a process can hold one libtorch only. Remove the libtorch package from the application, where TorchSharp "
                + "alone is then enough, or name no other folder.");
        }
    }

    [SupportedOSPlatform("linux")]
    private static string RealCpuLibrary(string folder)
    {
        string path = Path.Combine(folder, LibtorchFolder.CpuLibrary);
        try
        {
            return MappedLibrary.RealPath(path);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new DeviceUnavailableException($"'{path}' cannot be read: {error.Message}", error);
        }
    }

    // TorchSharp's own way of loading serves Windows and macOS.
    private static string RequirePackage(string? libtorchFolder) =>
        LibtorchFolder.Named(libtorchFolder) is { } named
            ? throw new DeviceUnavailableException($"libtorch of '{named}' cannot be used: naming a folder works on Linux only.")
            : LibtorchFolder.OfApplication();

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void RequireResult(string folder)
    {
        try
        {
            _ = TorchProbe.Add();
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            string known = OperatingSystem.IsWindows()
                ? " TorchSharp 0.107.0 is known not to load on Windows (issue 1567 of dotnet/TorchSharp)."
                : "";
            string cause = LoaderMessage.Of(error.GetBaseException());
            throw new DeviceUnavailableException(
                $"TorchSharp does not work with the libtorch in '{folder}': {cause}{known}", error);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void RequireCudaResult(string folder, int index)
    {
        try
        {
            int count = TorchProbe.CudaDeviceCount();
            if (index < count)
            {
                _ = TorchProbe.AddOnCuda(index);
                return;
            }

            throw new DeviceUnavailableException(
                $"The libtorch in '{folder}' can use {count} CUDA devices, so that there is no device {index}, although the "
                + "driver has it. The driver may be too old for the CUDA of that libtorch: CUDA 12 needs 525, 13 needs 580.");
        }
        catch (Exception error) when (error is not (OutOfMemoryException or DeviceUnavailableException))
        {
            string cause = LoaderMessage.Of(error.GetBaseException());
            throw new DeviceUnavailableException(
                $"CUDA device {index} does not work with the libtorch in '{folder}': {cause}", error);
        }
    }
}
