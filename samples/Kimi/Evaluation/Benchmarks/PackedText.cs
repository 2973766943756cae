using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;

namespace Kimi.Evaluation.Benchmarks;

/// <summary>Text as LiveCodeBench packs it: base64 of zlib of Python's pickle of one string.</summary>
/// <remarks>
/// A pickle is a program that may do anything when it is loaded as Python does. Here only the few instructions that make one
/// string are known; anything else is refused.
/// </remarks>
internal static class PackedText
{
    // More than any of the published tests by far; a small file may unpack to much more than memory holds.
    private const int MaxBytes = 1 << 30;

    /// <exception cref="InvalidDataException">The text is packed in another way.</exception>
    public static string Read(string packed)
    {
        byte[] compressed;
        try
        {
            compressed = Convert.FromBase64String(packed);
        }
        catch (FormatException exception)
        {
            throw new InvalidDataException("it is no base64", exception);
        }

        using ZLibStream zlib = new(new MemoryStream(compressed), CompressionMode.Decompress);
        using MemoryStream pickle = new();
        byte[] buffer = new byte[1 << 16];
        while (zlib.Read(buffer) is int count and > 0)
        {
            pickle.Write(buffer.AsSpan(0, count));
            if (pickle.Length > MaxBytes)
            {
                throw new InvalidDataException("it is more than a gigabyte");
            }
        }

        return ReadPickle(pickle.GetBuffer().AsSpan(0, (int)pickle.Length));
    }

    private static string ReadPickle(ReadOnlySpan<byte> pickle)
    {
        string? text = null;
        while (!pickle.IsEmpty)
        {
            byte instruction = Take(ref pickle, 1)[0];
            switch (instruction)
            {
                case 0x80: // PROTO, a byte
                case (byte)'q': // BINPUT, a byte
                    Take(ref pickle, 1);
                    break;
                case 0x95: // FRAME, eight bytes
                    Take(ref pickle, 8);
                    break;
                case (byte)'r': // LONG_BINPUT, four bytes
                    Take(ref pickle, 4);
                    break;
                case 0x94: // MEMOIZE
                    break;
                case 0x8C: // SHORT_BINUNICODE
                    text = Once(text, Take(ref pickle, Take(ref pickle, 1)[0]));
                    break;
                case (byte)'X': // BINUNICODE
                    text = Once(text, Take(ref pickle, BinaryPrimitives.ReadUInt32LittleEndian(Take(ref pickle, 4))));
                    break;
                case 0x8D: // BINUNICODE8
                    text = Once(text, Take(ref pickle, BinaryPrimitives.ReadUInt64LittleEndian(Take(ref pickle, 8))));
                    break;
                case (byte)'.': // STOP
                    return text ?? throw new InvalidDataException("it holds no string");
                default:
                    throw new InvalidDataException($"it holds more than a string (instruction 0x{instruction:X2})");
            }
        }

        throw new InvalidDataException("it ends too early");
    }

    private static string Once(string? before, ReadOnlySpan<byte> utf8) =>
        before is null ? Encoding.UTF8.GetString(utf8) : throw new InvalidDataException("it holds more than one string");

    private static ReadOnlySpan<byte> Take(ref ReadOnlySpan<byte> pickle, ulong count)
    {
        if (count > (ulong)pickle.Length)
        {
            throw new InvalidDataException("it ends too early");
        }

        ReadOnlySpan<byte> taken = pickle[..(int)count];
        pickle = pickle[(int)count..];
        return taken;
    }
}
