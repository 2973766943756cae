using System.Runtime.InteropServices;

namespace KimiLinear.Backends;

/// <summary>Finds the folder of libtorch.</summary>
internal static class LibtorchFolder
{
    /// <summary>The environment variable that names the folder.</summary>
    public const string Variable = "KIMILINEAR_LIBTORCH";

    /// <summary>The library that every libtorch has, with or without CUDA.</summary>
    public static string CpuLibrary { get; } = FileName("torch_cpu");

    /// <summary>The library that a libtorch has when it was built for CUDA.</summary>
    public static string CudaLibrary { get; } = FileName("torch_cuda");

    /// <summary>The folder that an option or the environment names, or <see langword="null"/> when neither does.</summary>
    /// <exception cref="DeviceUnavailableException">The folder named holds no libtorch.</exception>
    public static string? Named(string? option)
    {
        if (!string.IsNullOrEmpty(option))
        {
            return In(option, "the option");
        }

        string? variable = Environment.GetEnvironmentVariable(Variable);
        return string.IsNullOrEmpty(variable) ? null : In(variable, $"the environment variable {Variable}");
    }

    /// <summary>The folder where the application's packages put libtorch.</summary>
    /// <exception cref="DeviceUnavailableException">It is in none of the application's folders.</exception>
    public static string OfApplication()
    {
        string[] places = NativeFolders();
        return Array.Find(places, place => File.Exists(Path.Combine(place, CpuLibrary)))
            ?? throw new DeviceUnavailableException(
                $"libtorch was not found: no {CpuLibrary} in {string.Join(", ", places)}. {TorchPackages.Advice}"
                + (OperatingSystem.IsLinux() ? $", or set {Variable} to the folder of {LibtorchVersion.Accepted}." : "."));
    }

    /// <summary>The folders in which an application has its native libraries, its own first.</summary>
    public static string[] NativeFolders()
    {
        string system = OperatingSystem.IsWindows() ? "win" : OperatingSystem.IsMacOS() ? "osx" : "linux";
        string architecture = RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant();
        string application = AppContext.BaseDirectory;
        string[] places =
            [application, Path.Combine(application, "runtimes", $"{system}-{architecture}", "native"), .. ProbedFolders()];
        return [.. places.Select(place => Path.TrimEndingDirectorySeparator(Path.GetFullPath(place))).Distinct()];
    }

    /// <summary>The folders in which .NET itself looks when a library is asked for by its name.</summary>
    public static string[] ProbedFolders() =>
        (AppContext.GetData("NATIVE_DLL_SEARCH_DIRECTORIES") as string ?? "").Split(
            Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries);

    // Who has Python may as well name the torch folder, or the one that pip installs into.
    private static string In(string folder, string by)
    {
        string full = Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));
        string[] places = [full, Path.Combine(full, "lib"), Path.Combine(full, "torch", "lib")];
        return Array.Find(places, place => File.Exists(Path.Combine(place, CpuLibrary)))
            ?? throw new DeviceUnavailableException(
                $"libtorch was not found in '{folder}', which {by} names: there is no {CpuLibrary} in it, nor in lib or "
                + "torch/lib below it. Name the folder that holds it, such as torch/lib of a Python installation.");
    }

    private static string FileName(string library) =>
        OperatingSystem.IsWindows() ? $"{library}.dll" : OperatingSystem.IsMacOS() ? $"lib{library}.dylib" : $"lib{library}.so";
}
