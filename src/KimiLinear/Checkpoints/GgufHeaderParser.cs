using System.Globalization;
using System.Text;
using KimiLinear.Tensors;

namespace KimiLinear.Checkpoints;

/// <summary>Reads the head of a GGUF file; the values of its metadata stay where they lie.</summary>
internal unsafe ref struct GgufHeaderParser
{
    private const uint Magic = 0x46554747; // "GGUF", read as a little-endian number
    private const uint MinVersion = 2;
    private const uint MaxVersion = 3;

    // Length of the name, number of axes, type, offset.
    private const int MinTensorBytes = sizeof(ulong) + sizeof(uint) + sizeof(uint) + sizeof(ulong);

    // Length of the key, type, one byte of value.
    private const int MinKeyBytes = sizeof(ulong) + sizeof(uint) + 1;

    // The format's own limit, and that of the library it comes from on the number of axes.
    private const int MaxNameBytes = 65_535;
    private const int MaxRank = 4;

    // Far above any file, and low enough that bytes can be counted too.
    private const long MaxValues = 1L << 56;

    // Nobody nests lists; a damaged file must not exhaust the stack.
    private const int MaxListDepth = 4;

    private const string AlignmentKey = "general.alignment";
    private const long DefaultAlignment = 32;
    private const long MaxAlignment = 1 << 20;

    private readonly string _filePath;
    private readonly long _fileBytes;
    private GgufReader _reader;

    private GgufHeaderParser(byte* start, long fileBytes, string filePath)
    {
        _filePath = filePath;
        _fileBytes = fileBytes;
        _reader = new GgufReader(start, fileBytes, filePath);
    }

    /// <summary>Parses the head of a file.</summary>
    /// <param name="start">The first byte of the file, all of which is in memory or mapped.</param>
    /// <param name="fileBytes">The size of the file.</param>
    /// <param name="filePath">The file, for messages.</param>
    /// <exception cref="CheckpointFormatException">It is no GGUF file, one of another version, or damaged.</exception>
    public static GgufHeader Parse(byte* start, long fileBytes, string filePath) =>
        new GgufHeaderParser(start, fileBytes, filePath).Parse();

    private GgufHeader Parse()
    {
        ReadMagicAndVersion();
        long tensorCount = _reader.ReadCount("the number of tensors", MinTensorBytes);
        long keyCount = _reader.ReadCount("the number of metadata keys", MinKeyBytes);
        GgufMetadata metadata = ReadMetadata(keyCount);
        long entriesOffset = _reader.Position;
        List<GgufEntry> entries = ReadEntries(tensorCount);
        long alignment = ReadAlignment(metadata);
        long dataOffset = (_reader.Position + alignment - 1) / alignment * alignment;
        entries.Sort((a, b) => a.Offset != b.Offset ? a.Offset.CompareTo(b.Offset) : a.ByteCount.CompareTo(b.ByteCount));
        RequirePlaces(entries, alignment, dataOffset);
        return new GgufHeader(metadata, entries, entriesOffset, alignment, dataOffset);
    }

    private void ReadMagicAndVersion()
    {
        if (_reader.Remaining < sizeof(uint))
        {
            throw Refuse(
                $"'{_filePath}' is no GGUF file: it has only {_fileBytes} bytes. Point to a GGUF file or to the "
                + "folder of a model.");
        }

        uint magic = _reader.ReadUInt32("the file's mark");
        if (magic != Magic)
        {
            string found = Encoding.Latin1.GetString(BitConverter.GetBytes(magic));
            string shown = found.All(char.IsAsciiLetterOrDigit)
                ? $"'{found}'"
                : string.Create(CultureInfo.InvariantCulture, $"the bytes {Convert.ToHexString(BitConverter.GetBytes(magic))}");
            throw Refuse(
                $"'{_filePath}' is no GGUF file: it begins with {shown} instead of 'GGUF'. Point to a GGUF file or to the folder "
                + "of a model.");
        }

        uint version = _reader.ReadUInt32("the version");
        if (version is > 0 and (< MinVersion or > MaxVersion))
        {
            // Versions are small numbers, so one whose low half is zero has its bytes the other way round.
            throw Refuse((version & 0xFFFF) == 0
                ? $"'{_filePath}' is a big-endian GGUF file, but only little-endian ones can be read. Fetch the usual variant."
                : $"'{_filePath}' is a GGUF file of version {version}, but only versions {MinVersion} and {MaxVersion} can be "
                    + "read. Convert the model again.");
        }

        if (version == 0)
        {
            throw Refuse($"'{_filePath}' is a GGUF file of version 0, which does not exist. It is damaged: fetch it again.");
        }
    }

    private GgufMetadata ReadMetadata(long count)
    {
        Dictionary<string, GgufMetadataValue> values = [];
        for (long i = 0; i < count; i++)
        {
            string key = _reader.ReadName("a metadata key", MaxNameBytes);
            GgufValueType type = ReadValueType(key);

            // A converter may write a key twice; the later value is the one it means.
            values[key] = ReadValue(key, type);
        }

        return new GgufMetadata(values, _filePath);
    }

    private GgufMetadataValue ReadValue(string key, GgufValueType type)
    {
        switch (type)
        {
            case GgufValueType.Text:
                byte* text = _reader.TakeText("a metadata text", int.MaxValue, out int byteCount);
                return new GgufMetadataValue(type, text, byteCount);

            case GgufValueType.List:
                GgufValueType elementType = ReadValueType(key);
                long count = _reader.ReadCount("the length of a metadata list", elementType.MinBytes());
                byte* first = _reader.Take(0, "a metadata list");
                SkipElements(key, elementType, count, depth: 1);
                return new GgufMetadataValue(type, first, count, elementType);

            default:
                return new GgufMetadataValue(type, _reader.Take(type.SizeInBytes(), "a metadata value"), 1);
        }
    }

    private void SkipElements(string key, GgufValueType type, long count, int depth)
    {
        if (type.SizeInBytes() is int size and > 0)
        {
            _ = _reader.Take(count * size, "a metadata list");
            return;
        }

        for (long i = 0; i < count; i++)
        {
            if (type == GgufValueType.Text)
            {
                _ = _reader.TakeText("a metadata text", int.MaxValue, out _);
                continue;
            }

            if (depth == MaxListDepth)
            {
                throw _reader.Refuse($"nests lists more than {MaxListDepth} deep in the metadata key {key}");
            }

            GgufValueType elementType = ReadValueType(key);
            SkipElements(
                key, elementType, _reader.ReadCount("the length of a metadata list", elementType.MinBytes()), depth + 1);
        }
    }

    private GgufValueType ReadValueType(string key)
    {
        var type = (GgufValueType)_reader.ReadUInt32("the type of a metadata value");
        return Enum.IsDefined(type)
            ? type
            : throw _reader.Refuse($"gives the metadata key {key} the unknown type {(uint)type}");
    }

    private List<GgufEntry> ReadEntries(long count)
    {
        List<GgufEntry> entries = [];
        HashSet<string> names = [];
        for (long i = 0; i < count; i++)
        {
            string name = _reader.ReadName("the name of a tensor", MaxNameBytes);
            if (!names.Add(name))
            {
                throw _reader.Refuse($"names the tensor {name} more than once");
            }

            Shape shape = ReadShape(name);
            GgufDataType type = GgufDataType.Of(_reader.ReadUInt32("the type of a tensor"));
            ulong offset = _reader.ReadUInt64("the place of a tensor");
            RequireWholeBlocks(name, type, shape);
            if (offset > (ulong)_fileBytes)
            {
                throw _reader.Refuse($"places {name} at {offset}, beyond the end of the file");
            }

            entries.Add(new GgufEntry(name, type, shape, (long)offset));
        }

        return entries;
    }

    // The file lists the fastest axis first.
    private Shape ReadShape(string name)
    {
        uint rank = _reader.ReadUInt32("the number of axes of a tensor");
        if (rank is < 1 or > MaxRank)
        {
            throw _reader.Refuse($"gives {name} {rank} axes, but a tensor has 1 to {MaxRank}");
        }

        Span<long> lengths = stackalloc long[(int)rank];
        UInt128 product = 1;
        for (int axis = lengths.Length - 1; axis >= 0; axis--)
        {
            ulong length = _reader.ReadUInt64("the length of an axis");
            product *= Math.Max(length, 1);
            if (product > MaxValues)
            {
                throw _reader.Refuse($"gives {name} more values than can be counted");
            }

            lengths[axis] = (long)length;
        }

        return new Shape(lengths);
    }

    private readonly void RequireWholeBlocks(string name, GgufDataType type, Shape shape)
    {
        int block = type.DataType?.BlockLength() ?? 1;
        if (shape[shape.Rank - 1] % block != 0)
        {
            throw _reader.Refuse(
                $"stores {name} as {type.Name} in rows of {shape[shape.Rank - 1]} values, which must be a multiple of {block}");
        }
    }

    private readonly long ReadAlignment(GgufMetadata metadata)
    {
        long alignment = metadata.OptionalInteger(AlignmentKey, 1, MaxAlignment) ?? DefaultAlignment;
        return (alignment & (alignment - 1)) == 0
            ? alignment
            : throw _reader.Refuse($"has the {AlignmentKey} {alignment}, which must be a power of two");
    }

    private readonly void RequirePlaces(List<GgufEntry> entries, long alignment, long dataOffset)
    {
        long end = 0;
        string previous = "";
        foreach (GgufEntry entry in entries)
        {
            if (entry.Offset % alignment != 0)
            {
                throw _reader.Refuse($"places {entry.Name} at {entry.Offset}, which must be a multiple of {alignment}");
            }

            if (entry.Offset < end)
            {
                throw _reader.Refuse($"places {entry.Name} at {entry.Offset}, where {previous} lies that ends at {end}");
            }

            long left = Math.Max(_fileBytes - dataOffset - entry.Offset, 0);
            if (entry.ByteCount > left)
            {
                throw Refuse(
                    $"'{_filePath}' is cut off: {entry.Name} needs {entry.ByteCount} bytes, but only {left} are there. "
                    + "Fetch the file again.");
            }

            (end, previous) = (entry.Offset + entry.ByteCount, entry.Name);
        }
    }

    private readonly CheckpointFormatException Refuse(string message) => new(message, _filePath);
}
