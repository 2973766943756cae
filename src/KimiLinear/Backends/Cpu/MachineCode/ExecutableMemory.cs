using System.Runtime.InteropServices;

namespace KimiLinear.Backends;

/// <summary>Memory with instructions, which can be run and no longer written. It lives as long as the process.</summary>
internal static unsafe partial class ExecutableMemory
{
    // mmap and mprotect of Linux.
    private const int Read = 1;
    private const int Write = 2;
    private const int Execute = 4;
    private const int PrivateAnonymous = 0x22;

    // VirtualAlloc and VirtualProtect.
    private const uint CommitAndReserve = 0x3000;
    private const uint PageReadWrite = 4;
    private const uint PageExecuteRead = 0x20;

    /// <summary>Puts instructions where they can be run.</summary>
    /// <returns>Where they begin; <see langword="null"/> where the system does not allow it.</returns>
    public static byte* TryPlace(byte[] code)
    {
        try
        {
            return OperatingSystem.IsWindows() ? PlaceOnWindows(code)
                : OperatingSystem.IsLinux() ? PlaceOnLinux(code)
                : null;
        }
        catch (Exception exception) when (
            exception is DllNotFoundException or EntryPointNotFoundException or BadImageFormatException)
        {
            return null;
        }
    }

    private static byte* PlaceOnLinux(byte[] code)
    {
        nint memory = Map(0, (nuint)code.Length, Read | Write, PrivateAnonymous, -1, 0);
        if (memory == -1)
        {
            return null;
        }

        code.CopyTo(new Span<byte>((void*)memory, code.Length));
        if (Protect(memory, (nuint)code.Length, Read | Execute) == 0)
        {
            return (byte*)memory;
        }

        _ = Unmap(memory, (nuint)code.Length);
        return null;
    }

    private static byte* PlaceOnWindows(byte[] code)
    {
        nint memory = VirtualAlloc(0, (nuint)code.Length, CommitAndReserve, PageReadWrite);
        if (memory == 0)
        {
            return null;
        }

        code.CopyTo(new Span<byte>((void*)memory, code.Length));
        if (VirtualProtect(memory, (nuint)code.Length, PageExecuteRead, out _) != 0)
        {
            return (byte*)memory;
        }

        const uint Release = 0x8000;
        _ = VirtualFree(memory, 0, Release);
        return null;
    }

    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    [LibraryImport("libc", EntryPoint = "mmap")]
    private static partial nint Map(nint address, nuint length, int protection, int flags, int file, long offset);

    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    [LibraryImport("libc", EntryPoint = "mprotect")]
    private static partial int Protect(nint address, nuint length, int protection);

    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    [LibraryImport("libc", EntryPoint = "munmap")]
    private static partial int Unmap(nint address, nuint length);

    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    [LibraryImport("kernel32")]
    private static partial nint VirtualAlloc(nint address, nuint size, uint type, uint protection);

    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    [LibraryImport("kernel32")]
    private static partial int VirtualProtect(nint address, nuint size, uint protection, out uint before);

    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    [LibraryImport("kernel32")]
    private static partial int VirtualFree(nint address, nuint size, uint type);
}
