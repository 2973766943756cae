namespace KimiLinear.Backends;

/// <summary>The packages an application adds to compute with libtorch.</summary>
internal static class TorchPackages
{
    /// <summary>The version of TorchSharp this library is compiled against.</summary>
    public const string Version = "0.107.0";

    /// <summary>What to do when a part of them is missing.</summary>
    public const string Advice =
        $"Add the package TorchSharp-cpu or TorchSharp-cuda-linux, version {Version}, to the application";
}
