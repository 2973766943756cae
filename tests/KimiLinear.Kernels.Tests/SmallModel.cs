using System.Runtime.CompilerServices;

namespace KimiLinear.Kernels.Tests;

/// <summary>The small model of the samples, for a configuration to begin from.</summary>
internal static class SmallModel
{
    public static string Folder { get; } = Find();

    private static string Find([CallerFilePath] string here = "") => Path.GetFullPath(
        Path.Combine(Path.GetDirectoryName(here)!, "..", "..", "samples", "models", "kimi-linear-tiny"));
}
