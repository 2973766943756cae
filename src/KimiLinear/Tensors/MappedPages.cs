using System.Runtime.InteropServices;

namespace KimiLinear.Tensors;

/// <summary>Gives up pages of a mapped file that have been read, so that a process that reads a large file once stays small.</summary>
internal static unsafe partial class MappedPages
{
    // MADV_DONTNEED of Linux. Pages of a file that was mapped to be read are simply read again when they are touched.
    private const int AdviseDoNotNeed = 4;

    /// <summary>Gives up the pages that lie wholly in a range of mapped memory; what they hold stays readable.</summary>
    public static void Release(byte* data, long byteCount)
    {
        if (!OperatingSystem.IsLinux())
        {
            return;
        }

        long page = Environment.SystemPageSize;
        long first = ((long)data + page - 1) / page * page;
        long end = ((long)data + byteCount) / page * page;
        if (end <= first)
        {
            return;
        }

        try
        {
            _ = Advise((byte*)first, (nuint)(end - first), AdviseDoNotNeed);
        }
        catch (Exception exception) when (exception is DllNotFoundException or EntryPointNotFoundException)
        {
            // Then the system takes pages back by itself when it needs them.
        }
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(void* address, nuint length, int advice);
}
