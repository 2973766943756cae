using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using KimiLinear.Checkpoints;
using KimiLinear.Tensors;

namespace KimiLinear.Tests.TestSupport;

/// <summary>
/// A golden checkpoint whose matrices are 8-bit floats as they are published, beside one with the very same values in float32.
/// </summary>
internal sealed class Float8ModelFolder : IDisposable
{
    /// <summary>Scales of blocks of 128 × 128 as float32, of rows as bfloat16, or one of all values.</summary>
    public static readonly string[] Kinds = ["block", "channel", "tensor"];

    private readonly string _kind;

    public Float8ModelFolder(string modelName, string kind)
    {
        _kind = kind;
        using Checkpoint source = Checkpoint.Open(Golden.Model(modelName));
        List<Entry> stored = [];
        List<Entry> values = [];
        foreach (StoredTensor tensor in source.Tensors)
        {
            float[] plain = new float[tensor.Shape.ElementCount];
            StoredValues.CopyTo(tensor, plain);
            if (IsQuantized(tensor))
            {
                plain = AddQuantized(stored, tensor, plain);
            }
            else
            {
                stored.Add(new Entry(tensor.Name, tensor.DataType, Bytes(tensor), tensor.Shape.Lengths.ToArray()));
            }

            values.Add(Floats(tensor.Name, plain, tensor.Shape.Lengths));
        }

        Write(stored, Path);
        Write(values, ValuesPath);
        JsonNode config = JsonNode.Parse(File.ReadAllText(System.IO.Path.Combine(Golden.Model(modelName), "config.json")))!;
        File.WriteAllText(System.IO.Path.Combine(ValuesPath, "config.json"), config.ToJsonString());
        config["quantization_config"] = JsonNode.Parse(EntryOf(kind));
        File.WriteAllText(System.IO.Path.Combine(Path, "config.json"), config.ToJsonString());
    }

    public string Path { get; } = Directory.CreateTempSubdirectory("kimi-float8-").FullName;

    /// <summary>Where the values lie in float32.</summary>
    public string ValuesPath { get; } = Directory.CreateTempSubdirectory("kimi-float8-").FullName;

    /// <summary>What config.json says of such weights.</summary>
    public static string EntryOf(string kind) => kind switch
    {
        "block" => """
            {"quant_method":"fp8","fmt":"e4m3","activation_scheme":"dynamic","weight_block_size":[128,128]}
            """,
        "tensor" => """{"quant_method":"fp8","activation_scheme":"dynamic"}""",
        _ => """
            {"quant_method":"compressed-tensors","format":"float-quantized","ignore":["lm_head"],"kv_cache_scheme":null,
             "config_groups":{"group_0":{"targets":["Linear"],
              "weights":{"num_bits":8,"type":"float","strategy":"channel","symmetric":true,"dynamic":false},
              "input_activations":{"num_bits":8,"type":"float","strategy":"token","dynamic":true}}}}
            """,
    };

    public void Dispose()
    {
        Directory.Delete(Path, recursive: true);
        Directory.Delete(ValuesPath, recursive: true);
    }

    // What others leave alone: the router, the embedding and the head.
    private static bool IsQuantized(StoredTensor tensor) => tensor.Shape.Rank == 2
        && !tensor.Name.EndsWith("gate.weight", StringComparison.Ordinal)
        && tensor.Name is not (WeightNames.TokenEmbedding or WeightNames.Head)
        && !tensor.Name.EndsWith("conv1d.weight", StringComparison.Ordinal);

    // Returns what the codes and scales stand for.
    private float[] AddQuantized(List<Entry> entries, StoredTensor tensor, float[] plain)
    {
        (int rows, int columns) = ((int)tensor.Shape[0], (int)tensor.Shape[1]);
        (int height, int width) = _kind switch { "block" => (128, 128), "channel" => (1, columns), _ => (rows, columns) };
        (int scaleRows, int scaleColumns) = ((rows + height - 1) / height, (columns + width - 1) / width);
        float[] largest = new float[scaleRows * scaleColumns];
        for (int i = 0; i < plain.Length; i++)
        {
            ref float most = ref largest[ScaleOf(i)];
            most = Math.Max(most, Math.Abs(plain[i]));
        }

        float[] scales = [.. largest.Select(value => value == 0 ? 1 : value / 448)];
        if (_kind == "channel")
        {
            scales = [.. scales.Select(scale => BitConverter.UInt32BitsToSingle(Upper(scale) << 16))];
        }

        byte[] codes = [.. plain.Select((value, i) => PlainFloat8.Nearest((double)value / scales[ScaleOf(i)]))];
        entries.Add(new Entry(tensor.Name, DataType.Float8E4M3, codes, [rows, columns]));
        switch (_kind)
        {
            case "block":
                entries.Add(Floats($"{tensor.Name}_scale_inv", scales, scaleRows, scaleColumns));
                break;
            case "channel":
                ushort[] halves = [.. scales.Select(scale => (ushort)Upper(scale))];
                byte[] bytes = MemoryMarshal.AsBytes(halves.AsSpan()).ToArray();
                entries.Add(new Entry($"{tensor.Name}_scale", DataType.BFloat16, bytes, [rows, 1]));
                break;
            default:
                entries.Add(Floats($"{tensor.Name}_scale", scales));
                break;
        }

        return [.. codes.Select((code, i) => (float)PlainFloat8.Values[code] * scales[ScaleOf(i)])];

        int ScaleOf(int i) => (i / columns / height * scaleColumns) + (i % columns / width);
    }

    private static uint Upper(float value) => BitConverter.SingleToUInt32Bits(value) >> 16;

    private static unsafe byte[] Bytes(StoredTensor tensor) =>
        new ReadOnlySpan<byte>(tensor.Data, (int)tensor.ByteCount).ToArray();

    private static Entry Floats(string name, float[] values, params ReadOnlySpan<long> shape) =>
        new(name, DataType.Float32, MemoryMarshal.AsBytes(values.AsSpan()).ToArray(), shape.ToArray());

    private static void Write(List<Entry> entries, string folder)
    {
        using SafetensorsWriter writer = new(System.IO.Path.Combine(folder, "model.safetensors"));
        entries.ForEach(entry => writer.Declare(entry.Name, entry.Type, entry.Shape));
        entries.ForEach(entry => writer.Write(entry.Name, entry.Bytes));
        writer.Complete();
    }

    private sealed record Entry(string Name, DataType Type, byte[] Bytes, long[] Shape);
}
