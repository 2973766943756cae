using System.Buffers.Binary;

namespace KimiLinear.Checkpoints;

/// <summary>
/// What a safetensors file says about its tensors, checked so that every entry lies inside the file and none overlap.
/// </summary>
internal static class SafetensorsHeader
{
    /// <summary>Bytes of the number in front that tells the header's length.</summary>
    public const int PrefixBytes = 8;

    /// <summary>The format's own limit.</summary>
    public const int MaxHeaderBytes = 100_000_000;

    /// <summary>The one name that is no tensor: notes of whoever wrote the file.</summary>
    public const string MetadataKey = "__metadata__";

    /// <summary>Reads the length in front and checks it against the file.</summary>
    /// <exception cref="CheckpointFormatException">
    /// The file is shorter than it must be, or the length is not believable.
    /// </exception>
    public static int ReadLength(ReadOnlySpan<byte> prefix, long fileBytes, string filePath)
    {
        if (prefix.Length < PrefixBytes)
        {
            throw new CheckpointFormatException(
                $"'{filePath}' is cut off: a safetensors file begins with {PrefixBytes} bytes for the length of its header, "
                + $"but the file has only {fileBytes}.",
                filePath);
        }

        ulong headerBytes = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
        if (headerBytes > MaxHeaderBytes)
        {
            throw new CheckpointFormatException(
                $"'{filePath}' is damaged or no safetensors file: its header claims {headerBytes} bytes, but at most "
                + $"{MaxHeaderBytes} are allowed.",
                filePath);
        }

        if ((long)headerBytes > fileBytes - PrefixBytes)
        {
            throw new CheckpointFormatException(
                $"'{filePath}' is cut off within its header: the header claims {headerBytes} bytes, but only "
                + $"{fileBytes - PrefixBytes} follow. Fetch the file again.",
                filePath);
        }

        return (int)headerBytes;
    }

    /// <summary>Reads the header's text and checks that its tensors cover the data without holes or overlaps.</summary>
    /// <param name="json">The header.</param>
    /// <param name="dataBytes">How many bytes follow it in the file.</param>
    /// <param name="filePath">The file, for messages.</param>
    /// <returns>The tensors in the order in which they lie in the file.</returns>
    /// <exception cref="CheckpointFormatException">The header is damaged or does not fit the file.</exception>
    public static IReadOnlyList<SafetensorsEntry> Read(ReadOnlySpan<byte> json, long dataBytes, string filePath)
    {
        List<SafetensorsEntry> entries = SafetensorsHeaderParser.Parse(json, filePath);
        foreach (SafetensorsEntry entry in entries)
        {
            CheckByteCount(entry, filePath);
        }

        entries.Sort((a, b) => a.Begin != b.Begin ? a.Begin.CompareTo(b.Begin) : a.End.CompareTo(b.End));
        CheckCoverage(entries, dataBytes, filePath);
        return entries;
    }

    private static void CheckByteCount(SafetensorsEntry entry, string filePath)
    {
        if (entry.Begin > entry.End)
        {
            throw new CheckpointFormatException(
                $"{entry.Name} has data_offsets [{entry.Begin}, {entry.End}] in '{filePath}', but the first must not "
                + "be above the second.",
                filePath);
        }

        // 128 bits hold every product of a 64-bit count and a width of at most 64 bits.
        UInt128 bits = (UInt128)(ulong)entry.Shape.ElementCount * (UInt128)(uint)entry.Type.Bits;
        if (bits % 8 != 0)
        {
            throw new CheckpointFormatException(
                $"{entry.Name} must take whole bytes, but {entry.Type.Name} {entry.Shape} is {bits} bits. ('{filePath}')",
                filePath);
        }

        if (bits / 8 != (UInt128)(ulong)(entry.End - entry.Begin))
        {
            throw new CheckpointFormatException(
                $"{entry.Name} must take {bits / 8} bytes for {entry.Type.Name} {entry.Shape}, "
                + $"but its data_offsets [{entry.Begin}, {entry.End}] hold {entry.End - entry.Begin}. ('{filePath}')",
                filePath);
        }
    }

    private static void CheckCoverage(List<SafetensorsEntry> entries, long dataBytes, string filePath)
    {
        long end = 0;
        string previous = "the header";
        foreach (SafetensorsEntry entry in entries)
        {
            if (entry.Begin != end)
            {
                string fault = entry.Begin < end ? "overlaps" : $"leaves {entry.Begin - end} unused bytes after";
                throw new CheckpointFormatException(
                    $"{entry.Name} {fault} {previous} in '{filePath}': its data begins at {entry.Begin} where {end} is expected.",
                    filePath);
            }

            (end, previous) = (entry.End, entry.Name);
        }

        if (end > dataBytes)
        {
            throw new CheckpointFormatException(
                $"'{filePath}' is cut off: its tensors need {end} bytes of data, but only {dataBytes} are there. "
                + "Fetch the file again.",
                filePath);
        }

        if (end < dataBytes)
        {
            throw new CheckpointFormatException(
                $"'{filePath}' has {dataBytes - end} bytes after its last tensor that belong to no tensor.", filePath);
        }
    }
}
