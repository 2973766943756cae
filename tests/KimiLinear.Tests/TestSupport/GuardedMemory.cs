using System.Runtime.InteropServices;

namespace KimiLinear.Tests.TestSupport;

/// <summary>
/// Memory that ends, or begins, where the process may read no further, as a mapped file can: one byte more ends the run.
/// </summary>
/// <remarks>Elsewhere than on Linux it is plain memory.</remarks>
internal sealed unsafe partial class GuardedMemory : IDisposable
{
    private const int NoAccess = 0;
    private const int ReadWrite = 3;
    private const int PrivateAnonymous = 0x22;
    private const int Failed = -1;

    private readonly nint _start;
    private readonly nuint _length;

    public GuardedMemory(long byteCount, bool atStart = false)
    {
        if (!OperatingSystem.IsLinux())
        {
            Data = (byte*)NativeMemory.Alloc((nuint)byteCount);
            return;
        }

        long page = Environment.SystemPageSize;
        long usable = (byteCount + page - 1) / page * page;
        _length = (nuint)(usable + page);
        _start = Map(0, _length, ReadWrite, PrivateAnonymous, -1, 0);
        if (_start == Failed || Protect(atStart ? _start : _start + (nint)usable, (nuint)page, NoAccess) != 0)
        {
            throw new InvalidOperationException("The system gives no guarded memory.");
        }

        Data = (byte*)_start + (atStart ? page : usable - byteCount);
    }

    public byte* Data { get; }

    public void Dispose()
    {
        if (OperatingSystem.IsLinux())
        {
            _ = Unmap(_start, _length);
        }
        else
        {
            NativeMemory.Free(Data);
        }
    }

    [LibraryImport("libc", EntryPoint = "mmap")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial nint Map(nint address, nuint length, int protection, int flags, int file, nint offset);

    [LibraryImport("libc", EntryPoint = "mprotect")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Protect(nint address, nuint length, int protection);

    [LibraryImport("libc", EntryPoint = "munmap")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Unmap(nint address, nuint length);
}
