using System.Runtime.InteropServices;

namespace KimiLinear.Backends;

/// <summary>Memory with instructions, which can be run and no longer written. It lives as long as the process.</summary>
internal static unsafe partial class ExecutableMemory
{
    // mmap and mprotect: the same numbers on Linux and macOS, but for the flag of memory without a file.
    private const int Read = 1;
    private const int Write = 2;
    private const int Execute = 4;
    private const int Private = 2;

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
            return OperatingSystem.IsWindows() ? PlaceOnWindows(code) : PlaceOnUnix(code);
        }
        catch (Exception exception) when (exception is DllNotFoundException or EntryPointNotFoundException)
        {
            return null;
        }
    }

    private static byte* PlaceOnUnix(byte[] code)
    {
        int anonymous = OperatingSystem.IsMacOS() ? 0x1000 : 0x20;
        nint memory = Map(0, (nuint)code.Length, Read | Write, Private | anonymous, -1, 0);
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

    [LibraryImport("libc", EntryPoint = "mmap")]
    private static partial nint Map(nint address, nuint length, int protection, int flags, int file, long offset);

    [LibraryImport("libc", EntryPoint = "mprotect")]
    private static partial int Protect(nint address, nuint length, int protection);

    [LibraryImport("libc", EntryPoint = "munmap")]
    private static partial int Unmap(nint address, nuint length);

    [LibraryImport("kernel32")]
    private static partial nint VirtualAlloc(nint address, nuint size, uint type, uint protection);

    [LibraryImport("kernel32")]
    private static partial int VirtualProtect(nint address, nuint size, uint protection, out uint before);

    [LibraryImport("kernel32")]
    private static partial int VirtualFree(nint address, nuint size, uint type);
}
