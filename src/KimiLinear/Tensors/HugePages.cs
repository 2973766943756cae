using System.Runtime.InteropServices;

namespace KimiLinear.Tensors;

/// <summary>Asks the system to back memory with large pages: reading much of it then misses fewer translations.</summary>
internal static unsafe partial class HugePages
{
    /// <summary>Size and alignment of a large page on the systems that offer them on request.</summary>
    public const int PageBytes = 2 << 20;

    // MADV_HUGEPAGE of Linux.
    private const int AdviseHugePage = 14;

    /// <summary>Asks for large pages; where there are none, nothing changes.</summary>
    public static void Request(byte* data, long byteCount)
    {
        if (!OperatingSystem.IsLinux())
        {
            return;
        }

        try
        {
            _ = Advise(data, (nuint)byteCount, AdviseHugePage);
        }
        catch (Exception exception) when (exception is DllNotFoundException or EntryPointNotFoundException)
        {
            // A system without this call has small pages, which work as well, only slower.
        }
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(void* address, nuint length, int advice);
}
