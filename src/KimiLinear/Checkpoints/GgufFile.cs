using KimiLinear.Tensors;

namespace KimiLinear.Checkpoints;

/// <summary>One GGUF file, mapped for reading; its metadata and tensors are views that end with it.</summary>
internal sealed unsafe class GgufFile : IDisposable
{
    public const string Extension = ".gguf";

    private readonly MappedFile _file;
    private readonly GgufHeader _header;

    private GgufFile(MappedFile file)
    {
        _file = file;
        _header = GgufHeaderParser.Parse(file.Data, file.Length, file.FilePath);
    }

    public string FilePath => _file.FilePath;

    public long FileBytes => _file.Length;

    public GgufMetadata Metadata => _header.Metadata;

    /// <summary>All tensors in the order in which they lie in the file, under the format's own names.</summary>
    public IReadOnlyList<GgufEntry> Entries => _header.Entries;

    /// <summary>The whole file.</summary>
    public byte* Start => _file.Data;

    /// <summary>Bytes before the list of tensors: the mark, the counts and the metadata.</summary>
    public long EntriesOffset => _header.EntriesOffset;

    /// <summary>What every tensor's place is a multiple of.</summary>
    public long Alignment => _header.Alignment;

    /// <summary>Where the bytes of an entry of this file begin.</summary>
    public byte* DataOf(GgufEntry entry) => _file.Data + _header.DataOffset + entry.Offset;

    /// <summary>Maps a file and reads its header.</summary>
    /// <exception cref="CheckpointFormatException">The file is damaged, or no GGUF file.</exception>
    /// <exception cref="IOException">The file cannot be opened or mapped.</exception>
    public static GgufFile Open(string filePath)
    {
        MappedFile file = MappedFile.Open(filePath);
        try
        {
            return new GgufFile(file);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>The values of a tensor whose type this library knows.</summary>
    public StoredTensor View(GgufEntry entry) =>
        new(entry.Name, entry.Type.DataType!.Value, entry.Shape, _file.Data + _header.DataOffset + entry.Offset, FilePath);

    public void Dispose() => _file.Dispose();
}
