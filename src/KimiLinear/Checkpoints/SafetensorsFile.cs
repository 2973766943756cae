using System.IO.MemoryMappedFiles;
using KimiLinear.Tensors;

namespace KimiLinear.Checkpoints;

/// <summary>One safetensors file, mapped for reading; its tensors are views that end with it.</summary>
/// <remarks>
/// The file must not be shortened by anyone while it is open: the system ends a process that reads past the end.
/// </remarks>
internal sealed unsafe class SafetensorsFile : IDisposable
{
    private readonly MemoryMappedFile _mapping;
    private readonly MemoryMappedViewAccessor _view;
    private bool _isDisposed;

    private SafetensorsFile(string filePath, FileStream stream, int headerBytes)
    {
        FilePath = filePath;
        FileBytes = stream.Length;
        _mapping = MemoryMappedFile.CreateFromFile(
            stream, mapName: null, capacity: 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: true);
        try
        {
            _view = _mapping.CreateViewAccessor(0, FileBytes, MemoryMappedFileAccess.Read);
        }
        catch
        {
            _mapping.Dispose();
            throw;
        }

        byte* start = null;
        _view.SafeMemoryMappedViewHandle.AcquirePointer(ref start);
        try
        {
            start += _view.PointerOffset;
            int prefixBytes = SafetensorsHeader.PrefixBytes;
            long dataBytes = FileBytes - prefixBytes - headerBytes;
            Entries = SafetensorsHeader.Read(new ReadOnlySpan<byte>(start + prefixBytes, headerBytes), dataBytes, filePath);
            Tensors = ViewTensors(start + prefixBytes + headerBytes);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public string FilePath { get; }

    public long FileBytes { get; }

    /// <summary>Everything the header lists, in the order in which it lies in the file.</summary>
    public IReadOnlyList<SafetensorsEntry> Entries { get; }

    /// <summary>Those tensors whose data type this library knows, in the same order.</summary>
    public IReadOnlyList<StoredTensor> Tensors { get; }

    /// <summary>Maps a file and reads its header.</summary>
    /// <exception cref="CheckpointFormatException">The file is damaged.</exception>
    /// <exception cref="IOException">The file cannot be opened or mapped.</exception>
    public static SafetensorsFile Open(string filePath)
    {
        using FileStream stream = new(filePath, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
        Span<byte> prefix = stackalloc byte[SafetensorsHeader.PrefixBytes];
        int prefixBytes = stream.ReadAtLeast(prefix, prefix.Length, throwOnEndOfStream: false);
        int headerBytes = SafetensorsHeader.ReadLength(prefix[..prefixBytes], stream.Length, filePath);
        return new SafetensorsFile(filePath, stream, headerBytes);
    }

    public void Dispose()
    {
        if (_isDisposed)
        {
            return;
        }

        _isDisposed = true;
        _view.SafeMemoryMappedViewHandle.ReleasePointer();
        _view.Dispose();
        _mapping.Dispose();
    }

    private StoredTensor[] ViewTensors(byte* data) =>
    [
        .. Entries.Where(entry => entry.Type.DataType is not null)
            .Select(entry => PackedEntry.View(entry, data + entry.Begin, FilePath)),
    ];
}
