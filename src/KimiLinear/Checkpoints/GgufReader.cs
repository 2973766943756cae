using System.Text;
using System.Text.Unicode;

namespace KimiLinear.Checkpoints;

/// <summary>Reads the numbers and texts of a GGUF header one after another, never beyond the end of the file.</summary>
/// <param name="start">The first byte of the file.</param>
/// <param name="length">The size of the file.</param>
/// <param name="filePath">The file, for messages.</param>
internal unsafe ref struct GgufReader(byte* start, long length, string filePath)
{
    /// <summary>Bytes read so far.</summary>
    public long Position { get; private set; }

    /// <summary>Bytes not yet read.</summary>
    public readonly long Remaining => length - Position;

    public uint ReadUInt32(string what) => *(uint*)Take(sizeof(uint), what);

    public ulong ReadUInt64(string what) => *(ulong*)Take(sizeof(ulong), what);

    /// <summary>Reads a number of things that follow, each of at least <paramref name="minBytes"/> bytes.</summary>
    public long ReadCount(string what, int minBytes)
    {
        ulong count = ReadUInt64(what);
        return count <= (ulong)(Remaining / minBytes)
            ? (long)count
            : throw Refuse($"claims {count} as {what}, more than the {Remaining} bytes that follow can hold");
    }

    /// <summary>Reads the length of a text, passes over the text and tells where it lies.</summary>
    public byte* TakeText(string what, int maxBytes, out int byteCount)
    {
        ulong claimed = ReadUInt64(what);
        if (claimed > (ulong)maxBytes)
        {
            throw Refuse($"claims {claimed} bytes for {what}, but at most {maxBytes} are allowed");
        }

        byteCount = (int)claimed;
        return Take(byteCount, what);
    }

    /// <summary>Reads the name of a key or a tensor.</summary>
    public string ReadName(string what, int maxBytes)
    {
        byte* text = TakeText(what, maxBytes, out int byteCount);
        ReadOnlySpan<byte> utf8 = new(text, byteCount);
        return Utf8.IsValid(utf8) ? Encoding.UTF8.GetString(utf8) : throw Refuse($"holds {what} that is no text");
    }

    /// <summary>Passes over bytes and tells where they lie.</summary>
    public byte* Take(long byteCount, string what)
    {
        if (byteCount > Remaining)
        {
            throw new CheckpointFormatException(
                $"'{filePath}' is cut off within its header: {what} needs {byteCount} bytes, but only {Remaining} are left. "
                + "Fetch the file again.",
                filePath);
        }

        byte* taken = start + Position;
        Position += byteCount;
        return taken;
    }

    /// <summary>Makes the refusal of a damaged header.</summary>
    /// <param name="complaint">What is wrong, to complete "the header …".</param>
    public readonly CheckpointFormatException Refuse(string complaint) =>
        new($"The header of '{filePath}' {complaint}. The file is damaged: fetch it again.", filePath);
}
