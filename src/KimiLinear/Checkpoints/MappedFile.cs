using System.IO.MemoryMappedFiles;

namespace KimiLinear.Checkpoints;

/// <summary>A whole file, mapped for reading: nothing is read until somebody looks at it.</summary>
/// <remarks>
/// The file must not be shortened by anyone while it is open: the system ends a process that reads past the end.
/// </remarks>
internal sealed unsafe class MappedFile : IDisposable
{
    private readonly MemoryMappedFile? _mapping;
    private readonly MemoryMappedViewAccessor? _view;
    private bool _isDisposed;

    private MappedFile(string filePath, FileStream stream)
    {
        FilePath = filePath;
        Length = stream.Length;
        if (Length == 0)
        {
            // The system maps no empty files.
            return;
        }

        _mapping = MemoryMappedFile.CreateFromFile(
            stream, mapName: null, capacity: 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: true);
        try
        {
            _view = _mapping.CreateViewAccessor(0, Length, MemoryMappedFileAccess.Read);
        }
        catch
        {
            _mapping.Dispose();
            throw;
        }

        byte* start = null;
        _view.SafeMemoryMappedViewHandle.AcquirePointer(ref start);
        Data = start + _view.PointerOffset;
    }

    public string FilePath { get; }

    /// <summary>The size of the file in bytes.</summary>
    public long Length { get; }

    /// <summary>The first byte; <see langword="null"/> when the file is empty.</summary>
    public byte* Data { get; }

    /// <summary>Maps a file.</summary>
    /// <exception cref="IOException">The file cannot be opened or mapped.</exception>
    public static MappedFile Open(string filePath)
    {
        using FileStream stream = new(filePath, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
        return new MappedFile(filePath, stream);
    }

    public void Dispose()
    {
        if (_isDisposed)
        {
            return;
        }

        _isDisposed = true;
        _view?.SafeMemoryMappedViewHandle.ReleasePointer();
        _view?.Dispose();
        _mapping?.Dispose();
    }
}
