using System.Buffers.Binary;
using System.Text;

namespace KimiLinear.Tests.TestSupport;

/// <summary>Writes small shared objects for Linux on x64, which the system's loader accepts.</summary>
/// <remarks>Layout: the System V gABI and its x86-64 supplement; the version needs after the Linux Standard Base 5.</remarks>
internal static class ElfWriter
{
    private const int PageBytes = 4096;

    /// <summary>A function that returns a number.</summary>
    public static byte[] Returning(ulong value) => [0x48, 0xb8, .. BitConverter.GetBytes(value), 0xc3]; // mov rax, value; ret

    /// <summary>A function that stores a number where its argument points and returns 0.</summary>
    public static byte[] Storing(int value) => [0xc7, 0x07, .. BitConverter.GetBytes(value), 0x31, 0xc0, 0xc3];

    /// <summary>A library that exports functions and needs, if asked to, a version of a library.</summary>
    public static byte[] SharedObject((string Name, byte[] Code)[] functions, (string Library, string Version)? need = null)
    {
        byte[] file = new byte[PageBytes + 512];
        int end = 64 + (4 * 56);
        int names = Append(file, ref end, [0], 1);
        int Name(string text) => Append(file, ref end, [.. Encoding.ASCII.GetBytes(text), 0], 1) - names;

        // Symbol 0 is none.
        int[] symbolNames = [0, .. functions.Select(function => Name(function.Name))];
        int library = need is null ? 0 : Name(need.Value.Library);
        int version = need is null ? 0 : Name(need.Value.Version);
        int namesEnd = end;

        byte[] symbols = new byte[24 * symbolNames.Length];
        for (int i = 0; i < functions.Length; i++)
        {
            Span<byte> symbol = symbols.AsSpan(24 * (i + 1));
            int code = Append(file, ref end, functions[i].Code, 16);
            BinaryPrimitives.WriteInt32LittleEndian(symbol, symbolNames[i + 1]);
            symbol[4] = 0x12; // global, function
            symbol[6] = 1; // of some section
            BinaryPrimitives.WriteInt64LittleEndian(symbol[8..], code);
            BinaryPrimitives.WriteInt64LittleEndian(symbol[16..], functions[i].Code.Length);
        }

        int symbolTable = Append(file, ref end, symbols, 8);
        // One bucket, in which each symbol leads to the next.
        int[] chain = [0, .. Enumerable.Range(2, functions.Length).Select(next => next > functions.Length ? 0 : next)];
        int hash = Append(file, ref end, Words([1, chain.Length, functions.Length == 0 ? 0 : 1, .. chain]), 8);
        byte[] versionOfEach = [.. symbolNames.SelectMany(name => (byte[])[(byte)(name == 0 ? 0 : 1), 0])];
        int symbolVersions = Append(file, ref end, versionOfEach, 2);
        int needs = Append(
            file, ref end, Words([1 | (1 << 16), library, 16, 0, HashOf(need?.Version ?? ""), 2 << 16, version, 0]), 8);

        List<long> dynamic = [4, hash, 5, names, 6, symbolTable, 10, namesEnd - names, 11, 24];
        if (need is not null)
        {
            dynamic.AddRange([1, library, 0x6ffffff0, symbolVersions, 0x6ffffffe, needs, 0x6fffffff, 1]);
        }

        byte[] section = [.. dynamic.SelectMany(BitConverter.GetBytes), .. new byte[16]];
        section.CopyTo(file, PageBytes);
        WriteHeaders(file, section.Length);
        return file;
    }

    private static void WriteHeaders(byte[] file, int dynamicBytes)
    {
        byte[] kind = [0x7f, (byte)'E', (byte)'L', (byte)'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        int[] rest = [3 | (62 << 16), 1, 0, 0, 64, 0, 0, 0, 0, 64 | (56 << 16), 4 | (64 << 16), 0];
        kind.CopyTo(file, 0);
        Words(rest).CopyTo(file, kind.Length);
        // Code and tables in one page; the loader writes to the dynamic section; the stack is not for code.
        WriteSegment(file, 0, kind: 1, flags: 5, offset: 0, PageBytes);
        WriteSegment(file, 1, kind: 1, flags: 6, PageBytes, file.Length - PageBytes);
        WriteSegment(file, 2, kind: 2, flags: 6, PageBytes, dynamicBytes);
        WriteSegment(file, 3, kind: 0x6474e551, flags: 6, offset: 0, bytes: 0);
    }

    private static void WriteSegment(byte[] file, int index, int kind, int flags, int offset, int bytes) =>
        Words([kind, flags, offset, 0, offset, 0, offset, 0, bytes, 0, bytes, 0, PageBytes, 0]).CopyTo(file, 64 + (56 * index));

    private static byte[] Words(int[] values) => [.. values.SelectMany(BitConverter.GetBytes)];

    private static int Append(byte[] file, ref int end, byte[] bytes, int alignment)
    {
        int start = (end + alignment - 1) / alignment * alignment;
        bytes.CopyTo(file, start);
        end = start + bytes.Length;
        return start;
    }

    // The hash function of the gABI.
    private static int HashOf(string name)
    {
        uint hash = 0;
        foreach (char letter in name)
        {
            hash = (hash << 4) + letter;
            uint high = hash & 0xf0000000;
            hash = (hash ^ (high >> 24)) & ~high;
        }

        return (int)hash;
    }
}
