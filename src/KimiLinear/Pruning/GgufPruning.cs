using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using KimiLinear.Checkpoints;
using KimiLinear.Tensors;

namespace KimiLinear.Pruning;

/// <summary>Says what a GGUF file of a pruned model holds, tensor by tensor of the source's file.</summary>
/// <remarks>
/// Such a file stacks the experts of a layer in one tensor, the expert outermost, so an expert is a stretch of it and its blocks stay
/// whole. The metadata are copied but for the number of experts.
/// </remarks>
internal sealed unsafe class GgufPruning(ExpertRenumbering renumbering)
{
    /// <summary>Describes the pruned file.</summary>
    /// <exception cref="CheckpointFormatException">A tensor counts experts in a way that cannot be cut.</exception>
    public PrunedFile Prune(GgufFile file, string fileName)
    {
        List<SourceRange> ranges = [];
        using MemoryStream head = new();
        head.Write(new ReadOnlySpan<byte>(file.Start, checked((int)file.EntriesOffset)));
        long offset = 0;
        bool isSame = true;
        foreach (GgufEntry entry in file.Entries)
        {
            (Shape shape, SourceRange[] parts) = PartsOf(file, entry);
            WriteEntry(head, entry, shape, offset);
            long bytes = parts.Sum(part => part.ByteCount);
            long padded = Pad(bytes, file.Alignment);
            ranges.AddRange(parts);
            ranges.Add(new SourceRange(null, padded - bytes));
            offset += padded;
            isSame &= parts.Length == 1;
        }

        if (isSame)
        {
            return new PrunedFile(fileName, [], [new SourceRange(file.Start, file.FileBytes)]);
        }

        head.Write(new byte[Pad(head.Length, file.Alignment) - head.Length]);
        byte[] bytesInFront = head.ToArray();
        SetExpertCount(file, bytesInFront);
        return new PrunedFile(fileName, bytesInFront, ranges);
    }

    private (Shape Shape, SourceRange[] Parts) PartsOf(GgufFile file, GgufEntry entry)
    {
        byte* data = file.DataOf(entry);
        if (!GgufNames.TryParseLayer(entry.Name, out int layer, out string name)
            || !GgufNames.PerExpert.Contains(name)
            || !renumbering.TryGetKept(layer, out IReadOnlyList<int>? kept)
            || kept.SequenceEqual(Enumerable.Range(0, renumbering.OldCount)))
        {
            return (entry.Shape, [new SourceRange(data, entry.ByteCount)]);
        }

        if (entry.Shape[0] != renumbering.OldCount)
        {
            throw new CheckpointFormatException(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"{entry.Name} has shape {entry.Shape}, but must have {renumbering.OldCount} experts outermost to be cut. ")
                + $"('{file.FilePath}')",
                file.FilePath);
        }

        long expertBytes = entry.ByteCount / renumbering.OldCount;
        SourceRange[] parts = new SourceRange[kept.Count];
        for (int i = 0; i < parts.Length; i++)
        {
            parts[i] = new SourceRange(data + (kept[i] * expertBytes), expertBytes);
        }

        return (new Shape([renumbering.NewCount, .. entry.Shape.Lengths[1..]]), parts);
    }

    // The file lists the fastest axis first.
    private static void WriteEntry(MemoryStream head, GgufEntry entry, Shape shape, long offset)
    {
        byte[] name = Encoding.UTF8.GetBytes(entry.Name);
        WriteInt64(name.Length);
        head.Write(name);
        WriteInt32((uint)shape.Rank);
        for (int axis = shape.Rank - 1; axis >= 0; axis--)
        {
            WriteInt64(shape[axis]);
        }

        WriteInt32(entry.Type.Id);
        WriteInt64(offset);

        void WriteInt64(long value)
        {
            Span<byte> bytes = stackalloc byte[sizeof(long)];
            BinaryPrimitives.WriteInt64LittleEndian(bytes, value);
            head.Write(bytes);
        }

        void WriteInt32(uint value)
        {
            Span<byte> bytes = stackalloc byte[sizeof(uint)];
            BinaryPrimitives.WriteUInt32LittleEndian(bytes, value);
            head.Write(bytes);
        }
    }

    // Of a model in parts, the later ones need not tell it. Fewer fit wherever more did.
    private void SetExpertCount(GgufFile file, byte[] head)
    {
        if (file.Metadata.TryGet(GgufModel.ExpertCountKey, out GgufMetadataValue value))
        {
            Span<byte> place = head.AsSpan(checked((int)(value.Data - file.Start)), value.Type.SizeInBytes());
            Span<byte> number = stackalloc byte[sizeof(long)];
            BinaryPrimitives.WriteInt64LittleEndian(number, renumbering.NewCount);
            number[..place.Length].CopyTo(place);
        }
    }

    private static long Pad(long position, long alignment) => (position + alignment - 1) / alignment * alignment;
}
