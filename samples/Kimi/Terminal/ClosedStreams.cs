using System.Runtime.InteropServices;

namespace Kimi.Terminal;

/// <summary>
/// Tells which of the standard streams whoever started the tool has closed, as a shell does with <c>&lt;&amp;-</c>.
/// </summary>
/// <remarks>
/// The runtime opens a pipe or a file of its own under the number that is free then. Reading it waits for ever, and writing to it
/// reaches what nobody may touch.
/// </remarks>
internal static partial class ClosedStreams
{
    public const int Input = 0;
    public const int Output = 1;
    public const int Error = 2;

    private const int GetDescriptorFlags = 1;
    private const int CloseOnExec = 1;

    /// <summary>Whether the stream was closed when the process began.</summary>
    public static bool Contains(int descriptor)
    {
        if (OperatingSystem.IsWindows())
        {
            return false;
        }

        // What a process has inherited was not to be closed when it began; what the runtime opens always is.
        int flags = Control(descriptor, GetDescriptorFlags);
        return flags < 0 || (flags & CloseOnExec) != 0;
    }

    /// <summary>Refuses to read a closed standard input.</summary>
    /// <exception cref="IOException">It is closed.</exception>
    public static void RequireInput()
    {
        if (Contains(Input))
        {
            throw new IOException(
                "Standard input is closed, but is to be read. Give it a file or a pipe, or /dev/null for nothing.");
        }
    }

    /// <summary>A standard output that nothing can be written to.</summary>
    public static Stream RefusingOutput() => new Refusing();

    [LibraryImport("libc", EntryPoint = "fcntl")]
    private static partial int Control(int descriptor, int command);

    private sealed class Refusing : MemoryStream
    {
        public override void Write(ReadOnlySpan<byte> buffer) => throw Closed();

        public override void Write(byte[] buffer, int offset, int count) => throw Closed();

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) =>
            throw Closed();

        private static IOException Closed() =>
            new("Standard output is closed, but is to be written. Give it a file or a pipe, or /dev/null to see nothing.");
    }
}
