using System.Runtime.InteropServices;
using System.Runtime.Versioning;
using System.Security.Cryptography;

namespace KimiLinear.Backends;

/// <summary>Loads TorchSharp's own native library, also where the C++ runtime is older than the one it was built with.</summary>
/// <remarks>
/// TorchSharp 0.107.0 asks for GLIBCXX_3.4.32, which Debian 12 and Ubuntu 22.04 do not have. The only symbol of that version is
/// a mark that &lt;iostream&gt; leaves, and nothing calls it. A copy in which that need is marked as weak loads and works.
/// </remarks>
[SupportedOSPlatform("linux")]
internal static class TorchSharpLibrary
{
    /// <summary>The file of the library.</summary>
    public const string FileName = "libLibTorchSharp.so";

    private const string Runtime = "libstdc++.so.6";
    private const string RuntimeVersion = "GLIBCXX_3.4.32";
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private const UnixFileMode OthersWrite = UnixFileMode.GroupWrite | UnixFileMode.OtherWrite;

    /// <summary>Loads the library; libtorch must be loaded already.</summary>
    /// <exception cref="DeviceUnavailableException">It is missing, damaged, or does not load.</exception>
    public static void Load()
    {
        string[] places = LibtorchFolder.NativeFolders();
        string path = places.Select(place => Path.Combine(place, FileName)).FirstOrDefault(File.Exists)
            ?? throw new DeviceUnavailableException(
                $"TorchSharp's native library was not found: no {FileName} in {string.Join(", ", places)}. "
                + $"{TorchPackages.Advice}; TorchSharp has it for linux-x64.");
        try
        {
            NativeLibrary.Load(path);
        }
        catch (DllNotFoundException error) when (error.Message.Contains(RuntimeVersion, StringComparison.Ordinal))
        {
            LoadCopy(path);
        }
        catch (DllNotFoundException error)
        {
            throw DoesNotLoad(path, error);
        }
    }

    /// <summary>Loads a copy of the library that does not insist on the newer C++ runtime.</summary>
    /// <returns>The library's handle.</returns>
    /// <exception cref="DeviceUnavailableException">The file is damaged, or the copy cannot be written or loaded.</exception>
    public static nint LoadCopy(string path)
    {
        byte[] original;
        byte[] copy;
        try
        {
            original = File.ReadAllBytes(path);
            copy = new ElfVersionNeeds(original).WithWeak(Runtime, RuntimeVersion);
        }
        catch (Exception error) when (error is InvalidDataException or IOException or UnauthorizedAccessException)
        {
            throw new DeviceUnavailableException($"TorchSharp's native library '{path}' cannot be used: {error.Message}", error);
        }

        string name = $"LibTorchSharp-{Convert.ToHexStringLower(SHA256.HashData(original))[..16]}.so";
        return TryLoadKept(copy, name, out nint library) ? library : LoadOnce(copy, name, path);
    }

    private static bool TryLoadKept(byte[] copy, string name, out nint library)
    {
        library = 0;
        try
        {
            if (CacheFolder() is not { } folder
                || (Directory.CreateDirectory(folder, OwnerOnly).UnixFileMode & OthersWrite) != 0)
            {
                return false;
            }

            string path = Path.Combine(folder, name);
            if (!File.Exists(path) || !File.ReadAllBytes(path).AsSpan().SequenceEqual(copy))
            {
                Replace(path, copy);
            }

            return NativeLibrary.TryLoad(path, out library);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    // The folder's name cannot be foreseen, so nobody can lay another library there; once loaded, the file is not needed.
    private static nint LoadOnce(byte[] copy, string name, string original)
    {
        DirectoryInfo? folder = null;
        try
        {
            folder = Directory.CreateTempSubdirectory("kimi-linear-");
            string path = Path.Combine(folder.FullName, name);
            Write(path, copy);
            return NativeLibrary.Load(path);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or DllNotFoundException)
        {
            throw DoesNotLoad(original, error);
        }
        finally
        {
            folder?.Delete(recursive: true);
        }
    }

    // Written aside and renamed: another process may be loading the file.
    private static void Replace(string path, byte[] bytes)
    {
        string unfinished = $"{path}.{Guid.NewGuid():N}";
        try
        {
            Write(unfinished, bytes);
            File.Move(unfinished, path, overwrite: true);
        }
        finally
        {
            File.Delete(unfinished);
        }
    }

    private static void Write(string path, byte[] bytes)
    {
        FileStreamOptions options = new() { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = OwnerOnly };
        using FileStream stream = new(path, options);
        stream.Write(bytes);
    }

    private static string? CacheFolder()
    {
        string? caches = Environment.GetEnvironmentVariable("XDG_CACHE_HOME");
        if (!Path.IsPathFullyQualified(caches ?? ""))
        {
            caches = Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache");
        }

        return Path.IsPathFullyQualified(caches!) ? Path.Combine(caches!, "kimi-linear") : null;
    }

    private static DeviceUnavailableException DoesNotLoad(string path, Exception error) =>
        new($"TorchSharp's native library '{path}' does not load: {LoaderMessage.Of(error)}", error);
}
