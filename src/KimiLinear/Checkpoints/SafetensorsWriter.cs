using System.Runtime.InteropServices;
using System.Text;
using KimiLinear.Tensors;

namespace KimiLinear.Checkpoints;

/// <summary>Writes one safetensors file of any size, tensor by tensor.</summary>
/// <remarks>
/// First declare all tensors, then write their values in the same order, then <see cref="Complete"/>. The file appears
/// under its name only when it is whole: until then it lies beside it under a temporary name, and <see cref="Dispose"/>
/// without <see cref="Complete"/> removes it. Values are little-endian and row-major. Not safe for concurrent use.
/// </remarks>
public sealed class SafetensorsWriter : IDisposable
{
    private const int BufferBytes = 1 << 20;

    private readonly string _path;
    private readonly string _temporaryPath;
    private readonly IReadOnlyDictionary<string, string>? _metadata;
    private readonly List<SafetensorsEntry> _entries = [];
    private readonly HashSet<string> _names = [];
    private readonly Dictionary<string, byte[]> _held = [];
    private FileStream? _stream;
    private int _entryIndex;
    private long _headBytes;
    private long _writtenBytes;
    private State _state = State.Declaring;

    /// <summary>Initializes a new instance of the <see cref="SafetensorsWriter"/> class; nothing is written yet.</summary>
    /// <param name="path">The file to make, or to replace when it exists. Its folder must exist.</param>
    /// <param name="metadata">Notes to store in the file, or <see langword="null"/> for none.</param>
    public SafetensorsWriter(string path, IReadOnlyDictionary<string, string>? metadata = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        _path = Path.GetFullPath(path);
        _temporaryPath = $"{_path}.{Guid.NewGuid():N}.tmp";
        _metadata = metadata;
    }

    private enum State
    {
        Declaring,
        Writing,
        Completed,
        Disposed,
    }

    /// <summary>Announces a tensor whose values will be written later.</summary>
    /// <param name="name">Its name; each may occur once.</param>
    /// <param name="dataType">How its values are stored.</param>
    /// <param name="shape">The lengths of its axes, outermost first; none for a single value.</param>
    /// <exception cref="ArgumentException">The name, the type or the shape cannot be stored.</exception>
    /// <exception cref="InvalidOperationException">Writing has begun.</exception>
    public void Declare(string name, DataType dataType, params ReadOnlySpan<long> shape)
    {
        Require(State.Declaring);
        ArgumentException.ThrowIfNullOrEmpty(name);
        SafetensorsDataType type = SafetensorsDataType.Of(dataType)
            ?? throw new ArgumentException($"A safetensors file cannot hold {dataType}. (tensor {name})", nameof(dataType));
        long byteCount = CountBytes(name, type, shape);
        if (name == SafetensorsHeader.MetadataKey || !IsText(name))
        {
            throw new ArgumentException($"'{name}' cannot be the name of a tensor in a safetensors file.", nameof(name));
        }

        long begin = _entries.Count == 0 ? 0 : _entries[^1].End;
        if (long.MaxValue - begin < byteCount)
        {
            throw new ArgumentException(
                $"The file would be too large with {name}: it needs {byteCount} bytes more.", nameof(shape));
        }

        if (!_names.Add(name))
        {
            throw new ArgumentException($"{name} was declared already; each tensor may occur once.", nameof(name));
        }

        _entries.Add(new SafetensorsEntry(name, type, new Shape(shape), begin, begin + byteCount));
    }

    /// <summary>Declares a small tensor together with its values, which are copied and written when its turn comes.</summary>
    /// <param name="name">Its name; each may occur once.</param>
    /// <param name="values">All values, row-major.</param>
    /// <param name="shape">The lengths of its axes, outermost first; their product is the number of values.</param>
    /// <exception cref="ArgumentException">
    /// The name or the shape cannot be stored, or the number of values does not fit the shape.
    /// </exception>
    /// <exception cref="InvalidOperationException">Writing has begun.</exception>
    public void Add(string name, ReadOnlySpan<float> values, params ReadOnlySpan<long> shape) =>
        Add(name, DataType.Float32, MemoryMarshal.AsBytes(values), shape);

    /// <inheritdoc cref="Add(string, ReadOnlySpan{float}, ReadOnlySpan{long})"/>
    public void Add(string name, ReadOnlySpan<int> values, params ReadOnlySpan<long> shape) =>
        Add(name, DataType.Int32, MemoryMarshal.AsBytes(values), shape);

    /// <summary>Writes the next piece of a tensor's values; the first call ends the declarations.</summary>
    /// <param name="name">The tensor whose turn it is: the first declared one that is not yet whole.</param>
    /// <param name="data">Its next bytes, little-endian and row-major; any number of pieces may make up a tensor.</param>
    /// <exception cref="ArgumentException">
    /// It is not that tensor's turn, or the piece is longer than what is missing of it.
    /// </exception>
    /// <exception cref="InvalidOperationException">The file is completed.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public void Write(string name, ReadOnlySpan<byte> data)
    {
        BeginWriting();
        SafetensorsEntry? entry = _entryIndex < _entries.Count ? _entries[_entryIndex] : null;
        if (entry?.Name != name)
        {
            // Tensors without values are whole from the start, so their turn passes by itself.
            if (data.IsEmpty && _entries.Exists(declared => declared.Name == name && declared.Begin == declared.End))
            {
                return;
            }

            throw new ArgumentException(
                $"The values must come in the order of declaration: {entry?.Name ?? "nothing"} is next, but {name} was given.",
                nameof(name));
        }

        long missing = entry.End - _writtenBytes;
        if (data.Length > missing)
        {
            throw new ArgumentException($"{name} has room for {missing} more bytes, but {data.Length} were given.", nameof(data));
        }

        _stream!.Write(data);
        _writtenBytes += data.Length;
        PassWholeEntries();
    }

    /// <summary>Makes the file appear under its name, replacing one that was there.</summary>
    /// <exception cref="InvalidOperationException">Values are missing, or the file is completed already.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public void Complete()
    {
        BeginWriting();
        if (_entryIndex < _entries.Count)
        {
            SafetensorsEntry entry = _entries[_entryIndex];
            throw new InvalidOperationException(
                $"The file '{_path}' is not whole: {entry.Name} still lacks {entry.End - _writtenBytes} of its "
                + $"{entry.End - entry.Begin} bytes.");
        }

        _stream!.Flush(flushToDisk: true);
        if (_stream.Length != _headBytes + _writtenBytes)
        {
            throw new IOException($"The file '{_path}' cannot be completed, because an earlier write failed.");
        }

        _stream.Dispose();
        File.Move(_temporaryPath, _path, overwrite: true);
        _state = State.Completed;
    }

    /// <summary>Removes what was written, unless the file is complete.</summary>
    public void Dispose()
    {
        State state = _state;
        _state = State.Disposed;
        try
        {
            _stream?.Dispose();
        }
        finally
        {
            if (state == State.Writing)
            {
                File.Delete(_temporaryPath);
            }
        }
    }

    private static long CountBytes(string name, SafetensorsDataType type, ReadOnlySpan<long> shape)
    {
        long byteCount = type.Bits / 8;
        foreach (long length in shape)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(length, nameof(shape));
            if (length != 0 && byteCount > long.MaxValue / length)
            {
                throw new ArgumentException($"{name} has more values than can be counted.", nameof(shape));
            }

            byteCount *= length;
        }

        return byteCount;
    }

    // A lone half of a surrogate pair would come back as another name.
    private static bool IsText(string name) => Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(name)) == name;

    private void Add(string name, DataType dataType, ReadOnlySpan<byte> bytes, ReadOnlySpan<long> shape)
    {
        long needed = CountBytes(name, SafetensorsDataType.Of(dataType)!, shape);
        if (needed != bytes.Length)
        {
            int size = dataType.SizeInBytes();
            throw new ArgumentException(
                $"{name} must have {needed / size} values for the shape {new Shape(shape)}, but {bytes.Length / size} were "
                + "given.",
                nameof(shape));
        }

        Declare(name, dataType, shape);
        _held.Add(name, bytes.ToArray());
    }

    private void BeginWriting()
    {
        if (_state == State.Declaring)
        {
            byte[] head = SafetensorsHeaderWriter.Build(_entries, _metadata);
            _stream = new FileStream(_temporaryPath, FileMode.CreateNew, FileAccess.Write, FileShare.None, BufferBytes);
            _headBytes = head.Length;
            _state = State.Writing;
            _stream.Write(head);
            PassWholeEntries();
        }

        Require(State.Writing);
    }

    private void PassWholeEntries()
    {
        for (; _entryIndex < _entries.Count; _entryIndex++)
        {
            SafetensorsEntry entry = _entries[_entryIndex];
            if (_held.Remove(entry.Name, out byte[]? held))
            {
                _stream!.Write(held);
                _writtenBytes += held.Length;
            }

            if (_writtenBytes < entry.End)
            {
                return;
            }
        }
    }

    private void Require(State expected)
    {
        ObjectDisposedException.ThrowIf(_state == State.Disposed, this);
        if (_state != expected)
        {
            throw new InvalidOperationException(_state == State.Completed
                ? $"The file '{_path}' is complete; nothing can be added."
                : $"Tensors must be declared before the first values are written. ('{_path}')");
        }
    }
}
