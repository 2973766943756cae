using System.Buffers;
using System.Buffers.Binary;
using System.Text.Json;
using KimiLinear.Tensors;

namespace KimiLinear.Checkpoints;

/// <summary>
/// Spells the head of a safetensors file: the length, the JSON text, and spaces up to where the data may begin.
/// </summary>
internal static class SafetensorsHeaderWriter
{
    // The format asks for a multiple of eight; packed matrices are read in place and want more.
    private const int Alignment = PackedLayout.AlignmentBytes;

    /// <summary>Gets the bytes that go in front of the data.</summary>
    /// <exception cref="InvalidOperationException">The header is longer than the format allows.</exception>
    public static byte[] Build(IEnumerable<SafetensorsEntry> entries, IReadOnlyDictionary<string, string>? metadata)
    {
        ArrayBufferWriter<byte> json = new();
        using (Utf8JsonWriter writer = new(json))
        {
            writer.WriteStartObject();
            WriteMetadata(writer, metadata);
            foreach (SafetensorsEntry entry in entries)
            {
                WriteEntry(writer, entry);
            }

            writer.WriteEndObject();
        }

        int headBytes = (SafetensorsHeader.PrefixBytes + json.WrittenCount + Alignment - 1) / Alignment * Alignment;
        int headerBytes = headBytes - SafetensorsHeader.PrefixBytes;
        if (headerBytes > SafetensorsHeader.MaxHeaderBytes)
        {
            throw new InvalidOperationException(
                $"A safetensors header may have at most {SafetensorsHeader.MaxHeaderBytes} bytes, but this one needs "
                + $"{headerBytes}. Spread the tensors over several files.");
        }

        byte[] head = new byte[headBytes];
        BinaryPrimitives.WriteUInt64LittleEndian(head, (ulong)headerBytes);
        Span<byte> text = head.AsSpan(SafetensorsHeader.PrefixBytes);
        json.WrittenSpan.CopyTo(text);
        text[json.WrittenCount..].Fill((byte)' ');
        return head;
    }

    private static void WriteMetadata(Utf8JsonWriter writer, IReadOnlyDictionary<string, string>? metadata)
    {
        if (metadata is null)
        {
            return;
        }

        writer.WriteStartObject(SafetensorsHeader.MetadataKey);
        foreach ((string key, string value) in metadata)
        {
            writer.WriteString(key, value);
        }

        writer.WriteEndObject();
    }

    private static void WriteEntry(Utf8JsonWriter writer, SafetensorsEntry entry)
    {
        writer.WriteStartObject(entry.Name);
        writer.WriteString("dtype", entry.Type.Name);
        writer.WriteStartArray("shape");
        foreach (long length in entry.Shape.Lengths)
        {
            writer.WriteNumberValue(length);
        }

        writer.WriteEndArray();
        writer.WriteStartArray("data_offsets");
        writer.WriteNumberValue(entry.Begin);
        writer.WriteNumberValue(entry.End);
        writer.WriteEndArray();
        writer.WriteEndObject();
    }
}
