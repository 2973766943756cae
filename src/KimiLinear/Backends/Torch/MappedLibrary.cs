using System.Runtime.Versioning;
using Microsoft.Win32.SafeHandles;

namespace KimiLinear.Backends;

/// <summary>Tells libraries apart by the file behind a path, as Linux does.</summary>
[SupportedOSPlatform("linux")]
internal static class MappedLibrary
{
    /// <summary>The real path of a library this process has loaded, or <see langword="null"/> when it has not.</summary>
    public static string? Find(string fileName) =>
        File.ReadLines("/proc/self/maps")
            .Select(line => line.IndexOf('/') is var start and >= 0 ? line[start..] : "")
            .FirstOrDefault(path => Path.GetFileName(path) == fileName);

    /// <summary>The path of a file with every link followed, in whichever folder of the path it lies.</summary>
    public static string RealPath(string path)
    {
        using SafeFileHandle file = File.OpenHandle(path);
        return File.ResolveLinkTarget($"/proc/self/fd/{file.DangerousGetHandle()}", returnFinalTarget: false)!.FullName;
    }
}
