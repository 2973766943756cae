namespace KimiLinear.Backends;

/// <summary>The packages an application adds to compute with libtorch.</summary>
internal static class TorchPackages
{
    /// <summary>The version of TorchSharp this library is compiled against.</summary>
    public const string Version = "0.107.0";

    /// <summary>What to do when a part of them is missing.</summary>
    public static string Advice => $"Add the package TorchSharp-cpu or {Cuda}, version {Version}, to the application";

    /// <summary>The package for graphics cards on this system.</summary>
    public static string Cuda => OperatingSystem.IsWindows() ? "TorchSharp-cuda-windows" : "TorchSharp-cuda-linux";
}
