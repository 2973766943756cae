using System.Globalization;
using KimiLinear.Tensors;

namespace KimiLinear.Checkpoints;

/// <summary>
/// The tensors of a GGUF model under the names of the published checkpoint: views of the file wherever the values agree, and
/// float32 memory of its own for the few that do not.
/// </summary>
internal sealed unsafe class GgufWeights : IDisposable
{
    private readonly Dictionary<string, StoredTensor> _stored;
    private readonly List<StoredTensor> _tensors = [];
    private readonly HashSet<string> _names = [];
    private readonly List<NativeBuffer> _buffers = [];

    /// <exception cref="CheckpointFormatException">A tensor is not laid out as its name demands, or is there twice.</exception>
    public GgufWeights(IReadOnlyList<StoredTensor> stored)
    {
        _stored = stored.ToDictionary(tensor => tensor.Name);
        try
        {
            foreach (StoredTensor tensor in stored)
            {
                Translate(tensor);
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>What the file holds, in its order; tensors that no name fits keep their own.</summary>
    public IReadOnlyList<StoredTensor> Tensors => _tensors;

    public void Dispose() => _buffers.ForEach(buffer => buffer.Dispose());

    private void Translate(StoredTensor tensor)
    {
        if (GgufNames.Global.TryGetValue(tensor.Name, out string? global))
        {
            Add(tensor, global, tensor.Shape);
        }
        else if (!GgufNames.TryParseLayer(tensor.Name, out int layer, out string name))
        {
            Add(tensor, tensor.Name, tensor.Shape);
        }
        else if (GgufNames.Plain.TryGetValue(name, out string? plain))
        {
            Add(tensor, WeightNames.InLayer(layer, plain), tensor.Shape);
        }
        else if (GgufNames.Convolutions.TryGetValue(name, out string? convolution))
        {
            long taps = tensor.Shape[tensor.Shape.Rank - 1];
            Shape shape = new(taps == 0 ? 0 : tensor.Shape.ElementCount / taps, 1, taps);
            Add(tensor, WeightNames.InLayer(layer, convolution), shape);
        }
        else
        {
            TranslateRearranged(tensor, layer, name);
        }
    }

    private void TranslateRearranged(StoredTensor tensor, int layer, string name)
    {
        switch (name)
        {
            case GgufNames.QueryKeyValue:
                string[] parts = [WeightNames.KimiDelta.Query, WeightNames.KimiDelta.Key, WeightNames.KimiDelta.Value];
                AddRows(tensor, [.. parts.Select(part => WeightNames.InLayer(layer, part))]);
                break;
            case GgufNames.ExpertGates:
                AddExperts(tensor, layer, WeightNames.SparseMoe.ExpertGate);
                break;
            case GgufNames.ExpertUps:
                AddExperts(tensor, layer, WeightNames.SparseMoe.ExpertUp);
                break;
            case GgufNames.ExpertGatesAndUps:
                AddExperts(tensor, layer, WeightNames.SparseMoe.ExpertGate, WeightNames.SparseMoe.ExpertUp);
                break;
            case GgufNames.ExpertDowns:
                AddExperts(tensor, layer, WeightNames.SparseMoe.ExpertDown);
                break;
            case GgufNames.DecayFactor:
                AddDecayLog(tensor, WeightNames.InLayer(layer, WeightNames.KimiDelta.DecayLog));
                break;
            case GgufNames.KeyUp:
                AddKeyValueUp(tensor, layer);
                break;
            case GgufNames.ValueUp when _stored.ContainsKey(GgufNames.InLayer(layer, GgufNames.KeyUp)):
                // Taken together with the key's half.
                break;
            default:
                Add(tensor, tensor.Name, tensor.Shape);
                break;
        }
    }

    private void AddExperts(StoredTensor stack, int layer, params ReadOnlySpan<Func<int, string>> names)
    {
        RequireStack(stack);
        long count = stack.Shape[0];
        if (count > int.MaxValue / names.Length)
        {
            throw Refuse(stack, $"has {count} experts, more than can be counted");
        }

        string[] fullNames = new string[count * names.Length];
        for (int i = 0; i < fullNames.Length; i++)
        {
            fullNames[i] = WeightNames.InLayer(layer, names[i % names.Length](i / names.Length));
        }

        AddRows(stack, fullNames);
    }

    // Divides a tensor into equal parts by rows, whatever axes they are on.
    private void AddRows(StoredTensor tensor, string[] names)
    {
        long columns = tensor.Shape[tensor.Shape.Rank - 1];
        long rows = columns == 0 ? 0 : tensor.Shape.ElementCount / columns;
        if (rows % names.Length != 0)
        {
            throw Refuse(tensor, $"has {rows} rows, which cannot be divided into {names.Length} equal parts");
        }

        Shape shape = new(rows / names.Length, columns);
        long partBytes = tensor.DataType.ByteCount(shape.ElementCount);
        for (int i = 0; i < names.Length; i++)
        {
            Add(new StoredTensor(names[i], tensor.DataType, shape, tensor.Data + (i * partBytes), tensor.FilePath)
            {
                IsMapped = true,
            });
        }
    }

    private void AddDecayLog(StoredTensor factors, string name)
    {
        Span<float> values = Allocate(factors, name, factors.Shape);
        StoredValues.CopyTo(factors, values);
        foreach (ref float value in values)
        {
            if (value is not (< 0 and > float.NegativeInfinity))
            {
                throw Refuse(
                    factors, string.Create(CultureInfo.InvariantCulture, $"must hold negative numbers only, but holds {value}"));
            }

            value = (float)Math.Log(-(double)value);
        }
    }

    // Per head the rows of the key, which the file holds transposed, then those of the value.
    private void AddKeyValueUp(StoredTensor keys, int layer)
    {
        if (_stored.ContainsKey(GgufNames.InLayer(layer, GgufNames.KeyValueUp)))
        {
            // Some files hold both forms.
            return;
        }

        if (!_stored.TryGetValue(GgufNames.InLayer(layer, GgufNames.ValueUp), out StoredTensor? values))
        {
            throw Refuse(keys, $"needs {GgufNames.InLayer(layer, GgufNames.ValueUp)} beside it, which is not there");
        }

        RequireStack(keys);
        RequireStack(values);
        (long heads, long rank, long keyDim) = (keys.Shape[0], keys.Shape[1], keys.Shape[2]);
        long valueDim = values.Shape[1];
        if (values.Shape[0] != heads || values.Shape[2] != rank)
        {
            throw Refuse(values, $"has shape {values.Shape}, which does not fit {keys.Name} with shape {keys.Shape}");
        }

        string name = WeightNames.InLayer(layer, WeightNames.LatentAttention.KeyValueUp);
        Span<float> joined = Allocate(keys, name, new Shape(heads * (keyDim + valueDim), rank));
        using NativeBuffer scratch = new(rank * keyDim * sizeof(float));
        float* transposed = (float*)scratch.Data; // [R, K]
        long keyBytes = keys.DataType.ByteCount(rank * keyDim);
        long valueBytes = values.DataType.ByteCount(valueDim * rank);
        fixed (float* start = joined)
        {
            float* row = start;
            for (long head = 0; head < heads; head++)
            {
                StoredValues.Read(keys.Data + (head * keyBytes), keys.DataType, rank * keyDim, transposed);
                for (long i = 0; i < keyDim; i++, row += rank)
                {
                    for (long j = 0; j < rank; j++)
                    {
                        row[j] = transposed[(j * keyDim) + i];
                    }
                }

                StoredValues.Read(values.Data + (head * valueBytes), values.DataType, valueDim * rank, row);
                row += valueDim * rank;
            }
        }
    }

    // Adds a float32 tensor in memory of its own, to be filled by the caller.
    private Span<float> Allocate(StoredTensor source, string name, Shape shape)
    {
        if (shape.ElementCount > int.MaxValue)
        {
            throw Refuse(source, $"is too large: {name} would have {shape.ElementCount} values");
        }

        NativeBuffer buffer = new(shape.ElementCount * sizeof(float));
        _buffers.Add(buffer);
        Add(new StoredTensor(name, DataType.Float32, shape, buffer.Data, source.FilePath));
        return new Span<float>(buffer.Data, (int)shape.ElementCount);
    }

    private void Add(StoredTensor tensor, string name, Shape shape) =>
        Add(new StoredTensor(name, tensor.DataType, shape, tensor.Data, tensor.FilePath) { IsMapped = true });

    private void Add(StoredTensor tensor)
    {
        if (!_names.Add(tensor.Name))
        {
            throw new CheckpointFormatException(
                $"'{tensor.FilePath}' holds {tensor.Name} in two forms. It is damaged: fetch it again.", tensor.FilePath);
        }

        _tensors.Add(tensor);
    }

    // Having values, it cannot claim more matrices than the file has bytes.
    private static void RequireStack(StoredTensor tensor)
    {
        if (tensor.Shape.Rank != 3 || tensor.Shape.ElementCount == 0)
        {
            throw Refuse(tensor, $"must have three axes, none of length 0, but has shape {tensor.Shape}");
        }
    }

    private static CheckpointFormatException Refuse(StoredTensor tensor, string complaint) =>
        new($"{tensor.Name} {complaint}. ('{tensor.FilePath}')", tensor.FilePath);
}
