using KimiLinear.Tensors;

namespace KimiLinear.Checkpoints;

/// <summary>One safetensors file, mapped for reading; its tensors are views that end with it.</summary>
internal sealed unsafe class SafetensorsFile : IDisposable
{
    private readonly MappedFile _file;
    private readonly byte* _header;
    private readonly int _headerBytes;

    private SafetensorsFile(MappedFile file)
    {
        _file = file;
        int prefixBytes = (int)Math.Min(SafetensorsHeader.PrefixBytes, file.Length);
        int headerBytes = SafetensorsHeader.ReadLength(
            new ReadOnlySpan<byte>(file.Data, prefixBytes), file.Length, file.FilePath);
        _header = file.Data + prefixBytes;
        _headerBytes = headerBytes;
        long dataBytes = file.Length - prefixBytes - headerBytes;
        Entries = SafetensorsHeader.Read(new ReadOnlySpan<byte>(_header, headerBytes), dataBytes, file.FilePath);
        Tensors = ViewTensors(_header + headerBytes);
    }

    public string FilePath => _file.FilePath;

    public long FileBytes => _file.Length;

    /// <summary>Everything the header lists, in the order in which it lies in the file.</summary>
    public IReadOnlyList<SafetensorsEntry> Entries { get; }

    /// <summary>Those tensors whose data type this library knows, in the same order.</summary>
    public IReadOnlyList<StoredTensor> Tensors { get; }

    /// <summary>The whole file.</summary>
    public byte* Start => _file.Data;

    /// <summary>Reads the notes that whoever wrote the file left in it, in their order.</summary>
    public IReadOnlyDictionary<string, string> ReadNotes() =>
        SafetensorsHeaderParser.ParseNotes(new ReadOnlySpan<byte>(_header, _headerBytes));

    /// <summary>Where the bytes of an entry of this file begin.</summary>
    public byte* DataOf(SafetensorsEntry entry) => _header + _headerBytes + entry.Begin;

    /// <summary>Maps a file and reads its header.</summary>
    /// <exception cref="CheckpointFormatException">The file is damaged.</exception>
    /// <exception cref="IOException">The file cannot be opened or mapped.</exception>
    public static SafetensorsFile Open(string filePath)
    {
        MappedFile file = MappedFile.Open(filePath);
        try
        {
            return new SafetensorsFile(file);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    public void Dispose() => _file.Dispose();

    private StoredTensor[] ViewTensors(byte* data) =>
    [
        .. Entries.Where(entry => entry.Type.DataType is not null)
            .Select(entry => PackedEntry.View(entry, data + entry.Begin, FilePath)),
    ];
}
