using System.Runtime.InteropServices;

namespace KimiLinear.Backends;

/// <summary>Finds the native libraries of libtorch and of TorchSharp.</summary>
internal static class LibtorchFolder
{
    /// <summary>The environment variable that names the folder of libtorch.</summary>
    public const string Variable = "KIMILINEAR_LIBTORCH";

    /// <summary>The library that every libtorch has, with or without CUDA.</summary>
    public static string CpuLibrary { get; } = FileName("torch_cpu");

    /// <summary>The name that a library's file has on this system.</summary>
    public static string FileName(string library) =>
        OperatingSystem.IsWindows() ? $"{library}.dll" : OperatingSystem.IsMacOS() ? $"lib{library}.dylib" : $"lib{library}.so";

    /// <summary>The folder that holds libtorch.</summary>
    /// <param name="named">The folder an option names, or <see langword="null"/> when none does.</param>
    /// <exception cref="DeviceUnavailableException">It is nowhere.</exception>
    public static string Find(string? named)
    {
        if (!string.IsNullOrEmpty(named))
        {
            return Named(named, "the option");
        }

        string? variable = Environment.GetEnvironmentVariable(Variable);
        if (!string.IsNullOrEmpty(variable))
        {
            return Named(variable, $"the environment variable {Variable}");
        }

        string[] places = OfApplication();
        return Array.Find(places, place => File.Exists(Path.Combine(place, CpuLibrary)))
            ?? throw new DeviceUnavailableException(
                $"libtorch was not found: no {CpuLibrary} in {string.Join(", ", places)}. {TorchPackages.Advice}, or set {Variable} "
                + "to the folder of a libtorch 2.10 or 2.11, such as torch/lib of a Python installation.");
    }

    /// <summary>The folders in which .NET looks for native libraries, those of the application first.</summary>
    public static string[] OfApplication()
    {
        string system = OperatingSystem.IsWindows() ? "win" : OperatingSystem.IsMacOS() ? "osx" : "linux";
        string architecture = RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant();
        string application = AppContext.BaseDirectory;
        string probed = AppContext.GetData("NATIVE_DLL_SEARCH_DIRECTORIES") as string ?? "";
        string[] places =
        [
            application,
            Path.Combine(application, "runtimes", $"{system}-{architecture}", "native"),
            .. probed.Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries),
        ];
        return [.. places.Select(place => Path.TrimEndingDirectorySeparator(Path.GetFullPath(place))).Distinct()];
    }

    // A Python user may as well name the torch folder, or the one that pip installs into.
    private static string Named(string folder, string by)
    {
        string full = Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));
        string[] places = [full, Path.Combine(full, "lib"), Path.Combine(full, "torch", "lib")];
        return Array.Find(places, place => File.Exists(Path.Combine(place, CpuLibrary)))
            ?? throw new DeviceUnavailableException(
                $"libtorch was not found in '{folder}', which {by} names: {CpuLibrary} lies neither there nor in lib or torch/lib "
                + "below. Name the folder that holds it, such as torch/lib of a Python installation.");
    }
}
