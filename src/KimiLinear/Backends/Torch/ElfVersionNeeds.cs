using System.Buffers.Binary;
using System.Text;

namespace KimiLinear.Backends;

/// <summary>The symbol versions that a 64-bit little-endian ELF shared object asks of the libraries it needs.</summary>
/// <remarks>
/// The loader refuses a library when a version it needs is not defined, even when no symbol of it is used; an entry marked as
/// weak is allowed to be missing. Layout: System V gABI for the headers, Linux Standard Base 5, section 11.7, for the versions.
/// </remarks>
internal sealed class ElfVersionNeeds
{
    private const int HeaderBytes = 64;
    private const int ProgramHeaderBytes = 56;
    private const int DynamicEntryBytes = 16;
    private const int NeedBytes = 16;
    private const ushort SharedObject = 3;
    private const uint LoadSegment = 1;
    private const uint DynamicSegment = 2;
    private const ulong StringTableTag = 5;
    private const ulong StringTableBytesTag = 10;
    private const ulong VersionNeedsTag = 0x6ffffffe;
    private const ulong VersionNeedCountTag = 0x6fffffff;
    private const ushort WeakFlag = 2;

    private readonly byte[] _file;
    private readonly List<(string Library, string Version, int FlagsOffset)> _needs = [];

    /// <summary>Reads the needs of a file.</summary>
    /// <exception cref="InvalidDataException">The bytes are no such file, or it is damaged or cut off.</exception>
    public ElfVersionNeeds(byte[] file)
    {
        _file = file;
        ReadOnlySpan<byte> kind = [0x7f, (byte)'E', (byte)'L', (byte)'F', 2, 1];
        if (!file.AsSpan().StartsWith(kind))
        {
            throw new InvalidDataException("It is not a 64-bit little-endian ELF file.");
        }

        Bytes(0, HeaderBytes);
        if (Word16(16) != SharedObject)
        {
            throw new InvalidDataException("It is an ELF file, but not a shared object.");
        }

        ReadNeeds();
    }

    /// <summary>What the file needs, in its order: a library, one of its versions, whether that may be missing.</summary>
    public IEnumerable<(string Library, string Version, bool IsWeak)> All =>
        _needs.Select(need => (need.Library, need.Version, (Word16((ulong)need.FlagsOffset) & WeakFlag) != 0));

    /// <summary>A copy of the file that loads although a library does not define one version.</summary>
    /// <exception cref="InvalidDataException">The file does not need that version of that library.</exception>
    public byte[] WithWeak(string library, string version)
    {
        int index = _needs.FindIndex(need => need.Library == library && need.Version == version);
        if (index < 0)
        {
            throw new InvalidDataException($"It does not need {version} of {library}.");
        }

        byte[] copy = [.. _file];
        Span<byte> flags = copy.AsSpan(_needs[index].FlagsOffset, sizeof(ushort));
        BinaryPrimitives.WriteUInt16LittleEndian(flags, (ushort)(BinaryPrimitives.ReadUInt16LittleEndian(flags) | WeakFlag));
        return copy;
    }

    private void ReadNeeds()
    {
        Dictionary<ulong, ulong> dynamic = ReadDynamic();
        if (!dynamic.TryGetValue(VersionNeedsTag, out ulong address))
        {
            return;
        }

        ulong need = FileOffset(address);
        ulong needCount = dynamic.GetValueOrDefault(VersionNeedCountTag);
        ReadOnlySpan<byte> names = Bytes(
            FileOffset(dynamic.GetValueOrDefault(StringTableTag)), dynamic.GetValueOrDefault(StringTableBytesTag));
        for (ulong left = needCount; left > 0; left--)
        {
            Bytes(need, NeedBytes);
            ReadVersions(Name(names, Word32(need + 4)), need + Word32(need + 8), Word16(need + 2), names);
            need = left > 1 ? Next(need) : need;
        }
    }

    private void ReadVersions(string library, ulong entry, int count, ReadOnlySpan<byte> names)
    {
        for (int left = count; left > 0; left--)
        {
            Bytes(entry, NeedBytes);
            _needs.Add((library, Name(names, Word32(entry + 8)), (int)entry + 4));
            entry = left > 1 ? Next(entry) : entry;
        }
    }

    // Both lists lead on by a distance, which is zero at their end only: a damaged file must not hold us in a circle.
    private ulong Next(ulong entry) => Word32(entry + 12) is var distance and > 0
        ? entry + distance
        : throw new InvalidDataException($"Its list of needed versions ends early, at byte {entry}.");

    // The entries of the dynamic section that occur once; the first of the others.
    private Dictionary<ulong, ulong> ReadDynamic()
    {
        Dictionary<ulong, ulong> entries = [];
        foreach (ulong header in ProgramHeaders())
        {
            if (Word32(header) != DynamicSegment)
            {
                continue;
            }

            ulong start = Word64(header + 8);
            ulong end = start + (ulong)Bytes(start, Word64(header + 32)).Length;
            for (ulong entry = start; entry + DynamicEntryBytes <= end && Word64(entry) != 0; entry += DynamicEntryBytes)
            {
                entries.TryAdd(Word64(entry), Word64(entry + 8));
            }

            return entries;
        }

        throw new InvalidDataException("It has no dynamic section.");
    }

    private IEnumerable<ulong> ProgramHeaders()
    {
        ulong start = Word64(32);
        ushort size = Word16(54);
        ushort count = Word16(56);
        if (size < ProgramHeaderBytes)
        {
            throw new InvalidDataException($"Its program headers have {size} bytes, fewer than {ProgramHeaderBytes}.");
        }

        Bytes(start, (ulong)size * count);
        for (ulong i = 0; i < count; i++)
        {
            yield return start + (i * size);
        }
    }

    private ulong FileOffset(ulong address)
    {
        foreach (ulong header in ProgramHeaders())
        {
            ulong from = Word64(header + 16);
            if (Word32(header) == LoadSegment && address >= from && address - from < Word64(header + 32))
            {
                return Word64(header + 8) + (address - from);
            }
        }

        throw new InvalidDataException($"The address 0x{address:x} lies in none of its segments.");
    }

    private static string Name(ReadOnlySpan<byte> names, uint offset)
    {
        ReadOnlySpan<byte> rest = offset < names.Length ? names[(int)offset..] : [];
        int length = rest.IndexOf((byte)0);
        return length >= 0
            ? Encoding.UTF8.GetString(rest[..length])
            : throw new InvalidDataException($"The name at {offset} lies outside its table of names.");
    }

    private ushort Word16(ulong offset) => BinaryPrimitives.ReadUInt16LittleEndian(Bytes(offset, sizeof(ushort)));

    private uint Word32(ulong offset) => BinaryPrimitives.ReadUInt32LittleEndian(Bytes(offset, sizeof(uint)));

    private ulong Word64(ulong offset) => BinaryPrimitives.ReadUInt64LittleEndian(Bytes(offset, sizeof(ulong)));

    private ReadOnlySpan<byte> Bytes(ulong offset, ulong count)
    {
        ulong length = (ulong)_file.Length;
        return offset <= length && count <= length - offset
            ? _file.AsSpan((int)offset, (int)count)
            : throw new InvalidDataException(
                $"It ends at byte {length}, but {count} bytes at {offset} are needed: it is damaged or cut off.");
    }
}
