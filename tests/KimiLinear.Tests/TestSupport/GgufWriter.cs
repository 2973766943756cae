using System.Text;

namespace KimiLinear.Tests.TestSupport;

/// <summary>Writes small GGUF files, right or wrong.</summary>
internal sealed class GgufWriter
{
    private readonly List<(string Key, object Value)> _metadata = [];
    private readonly List<Tensor> _tensors = [];

    public uint Version { get; init; } = 3;

    public int Alignment { get; init; } = 32;

    /// <summary>What the header says instead of the number of tensors.</summary>
    public ulong? ClaimedTensorCount { get; init; }

    public IEnumerable<string> TensorNames => _tensors.Select(tensor => tensor.Name);

    /// <summary>Sets a key, or adds it once more behind an earlier one.</summary>
    public GgufWriter Set(string key, object value, bool keepEarlier = false)
    {
        if (!keepEarlier)
        {
            Remove(key);
        }

        _metadata.Add((key, value));
        return this;
    }

    public GgufWriter Remove(string key)
    {
        _metadata.RemoveAll(pair => pair.Key == key);
        return this;
    }

    /// <summary>Adds a tensor behind the others.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="type">The format's number of its type.</param>
    /// <param name="bytes">Its values.</param>
    /// <param name="shape">Its axes, outermost first.</param>
    public GgufWriter Add(string name, uint type, byte[] bytes, params ReadOnlySpan<long> shape)
    {
        _tensors.Add(new Tensor(name, type, bytes, shape.ToArray(), Offset: null));
        return this;
    }

    /// <summary>Adds a tensor that lies where the caller says.</summary>
    public GgufWriter AddAt(ulong offset, string name, uint type, params ReadOnlySpan<long> shape)
    {
        _tensors.Add(new Tensor(name, type, [], shape.ToArray(), offset));
        return this;
    }

    /// <summary>Takes a tensor out and returns it, to be added again in another form.</summary>
    public Tensor Take(string name)
    {
        Tensor tensor = _tensors.Single(candidate => candidate.Name == name);
        _tensors.Remove(tensor);
        return tensor;
    }

    public byte[] ToBytes()
    {
        using MemoryStream stream = new();
        using BinaryWriter writer = new(stream);
        writer.Write("GGUF"u8);
        writer.Write(Version);
        writer.Write(ClaimedTensorCount ?? (ulong)_tensors.Count);
        writer.Write((ulong)_metadata.Count);
        foreach ((string key, object value) in _metadata)
        {
            WriteText(writer, key);
            writer.Write(TypeOf(value));
            WriteValue(writer, value);
        }

        ulong end = 0;
        foreach (Tensor tensor in _tensors)
        {
            WriteText(writer, tensor.Name);
            writer.Write(tensor.Shape.Length);
            foreach (long length in tensor.Shape.Reverse())
            {
                writer.Write(length);
            }

            writer.Write(tensor.Type);
            writer.Write(tensor.Offset ?? end);
            end += (ulong)Padded(tensor.Bytes.Length);
        }

        foreach (Tensor tensor in _tensors)
        {
            stream.Position = Padded(stream.Position);
            writer.Write(tensor.Bytes);
        }

        stream.SetLength(Padded(stream.Position));
        return stream.ToArray();
    }

    private static void WriteText(BinaryWriter writer, string text)
    {
        byte[] utf8 = Encoding.UTF8.GetBytes(text);
        writer.Write((ulong)utf8.Length);
        writer.Write(utf8);
    }

    private static uint TypeOf(object value) => value switch
    {
        byte => 0,
        sbyte => 1,
        ushort => 2,
        short => 3,
        uint => 4,
        int => 5,
        float => 6,
        bool => 7,
        string => 8,
        Array => 9,
        ulong => 10,
        long => 11,
        double => 12,
        _ => throw new ArgumentException("This type has no number.", nameof(value)),
    };

    private static void WriteValue(BinaryWriter writer, object value)
    {
        switch (value)
        {
            case string text:
                WriteText(writer, text);
                break;
            case Array list:
                writer.Write(list.Length == 0 ? 4 : TypeOf(list.GetValue(0)!));
                writer.Write((ulong)list.Length);
                foreach (object element in list)
                {
                    WriteValue(writer, element);
                }

                break;
            default:
                Action write = value switch
                {
                    byte number => () => writer.Write(number),
                    sbyte number => () => writer.Write(number),
                    ushort number => () => writer.Write(number),
                    short number => () => writer.Write(number),
                    uint number => () => writer.Write(number),
                    int number => () => writer.Write(number),
                    float number => () => writer.Write(number),
                    bool flag => () => writer.Write(flag),
                    ulong number => () => writer.Write(number),
                    long number => () => writer.Write(number),
                    double number => () => writer.Write(number),
                    _ => throw new ArgumentException("This type cannot be written.", nameof(value)),
                };
                write();
                break;
        }
    }

    private long Padded(long position) => (position + Alignment - 1) / Alignment * Alignment;

    internal sealed record Tensor(string Name, uint Type, byte[] Bytes, long[] Shape, ulong? Offset);
}
