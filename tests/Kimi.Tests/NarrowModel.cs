using System.Buffers.Binary;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Xunit;

namespace Kimi.Tests;

/// <summary>
/// A model in the layout of the large one, 2,304 wide with 256 experts of which 8 are active, but with narrow experts, few layers and a
/// small vocabulary. Every tensor holds zeros but for a stamp at its beginning, its middle and its end, so that it takes little room on
/// the disk and yet no two are alike.
/// </summary>
internal sealed class NarrowModel
{
    private const int Hidden = 2304;
    private const int Experts = 256;
    private const int Vocabulary = 1024;
    private const int StampBytes = 8;

    private readonly int _layers;
    private readonly int _expertDim;
    private readonly Dictionary<int, int[]> _kept = [];

    private NarrowModel(int layers, int expertDim)
    {
        (_layers, _expertDim) = (layers, expertDim);
    }

    public long TotalBytes { get; private set; }

    private IEnumerable<int> SparseLayers => Enumerable.Range(1, _layers - 1);

    /// <summary>Writes a file for each layer, and one for what is outside.</summary>
    public static NarrowModel Write(string folder, int layers, int expertDim)
    {
        NarrowModel model = new(layers, expertDim);
        File.WriteAllText(Path.Combine(folder, "config.json"), model.Config().ToJsonString());
        JsonObject map = [];
        for (int layer = -1; layer < layers; layer++)
        {
            string file = $"model-{layer + 2:D5}-of-{layers + 1:D5}.safetensors";
            (string Name, string Type, long[] Shape)[] tensors = [.. layer < 0 ? Outside() : model.Layer(layer)];
            model.TotalBytes += WriteFile(Path.Combine(folder, file), tensors);
            foreach ((string name, _, _) in tensors)
            {
                map[name] = file;
            }
        }

        JsonObject index = new() { ["metadata"] = new JsonObject { ["total_size"] = model.TotalBytes }, ["weight_map"] = map };
        File.WriteAllText(Path.Combine(folder, "model.safetensors.index.json"), index.ToJsonString());
        return model;
    }

    /// <summary>Writes a plan that keeps other experts in every layer.</summary>
    public string WritePlan(string path, int keep)
    {
        JsonArray layers = [];
        foreach (int layer in SparseLayers)
        {
            Random random = new(layer);
            _kept[layer] = [.. Enumerable.Range(0, Experts).OrderBy(_ => random.Next()).Take(keep).Order()];
            JsonArray kept = new([.. _kept[layer].Select(expert => JsonValue.Create(expert))]);
            layers.Add(new JsonObject { ["layer"] = layer, ["keep"] = kept });
        }

        JsonObject plan = new()
        {
            ["format"] = "kimi-linear-pruning-plan",
            ["version"] = 1,
            ["model"] = new JsonObject { ["num_experts"] = Experts, ["num_experts_per_token"] = 8 },
            ["criterion"] = "by hand",
            ["layers"] = layers,
        };
        File.WriteAllText(path, plan.ToJsonString());
        return path;
    }

    /// <summary>Checks every byte of every tensor of the pruned model.</summary>
    public void AssertPruned(string folder)
    {
        HashSet<string> seen = [];
        foreach (string file in Directory.GetFiles(folder, "*.safetensors"))
        {
            foreach ((string name, JsonElement entry, long begin, long end) in Entries(file))
            {
                Assert.True(seen.Add(name));
                AssertTensor(file, name, entry, begin, end);
            }
        }

        int kept = _kept.Values.First().Length;
        int before = Outside().Count() + Enumerable.Range(0, _layers).Sum(layer => Layer(layer).Count());
        Assert.Equal(before - (_kept.Count * (Experts - kept) * 3), seen.Count);
    }

    private void AssertTensor(string file, string name, JsonElement entry, long begin, long end)
    {
        string[] parts = name.Split('.');
        int layer = name.StartsWith("model.layers.", StringComparison.Ordinal) ? int.Parse(parts[2]) : 0;
        string source = name;
        if (name.Contains(".experts.", StringComparison.Ordinal))
        {
            parts[5] = _kept[layer][int.Parse(parts[5])].ToString();
            source = string.Join('.', parts);
        }

        byte[] bytes = Bytes(file, begin, end);
        if (!name.Contains(".block_sparse_moe.gate.", StringComparison.Ordinal))
        {
            Assert.True(bytes.AsSpan().SequenceEqual(Content(source, end - begin)), $"{name} is not {source}.");
            return;
        }

        Assert.Equal(_kept[layer].Length, entry.GetProperty("shape")[0].GetInt32());
        int row = bytes.Length / _kept[layer].Length;
        byte[] before = Content(name, (long)row * Experts);
        Assert.All(_kept[layer].Index(), pair => Assert.True(
            bytes.AsSpan(pair.Index * row, row).SequenceEqual(before.AsSpan(pair.Item * row, row)), $"row {pair.Index} of {name}"));
    }

    private static IEnumerable<(string Name, string Type, long[] Shape)> Outside() =>
    [
        ("model.embed_tokens.weight", "BF16", [Vocabulary, Hidden]), ("model.norm.weight", "BF16", [Hidden]),
        ("lm_head.weight", "BF16", [Vocabulary, Hidden]),
    ];

    // The last layer is latent, the others Kimi Delta; the first is dense.
    private IEnumerable<(string Name, string Type, long[] Shape)> Layer(int layer)
    {
        List<(string Name, string Type, long[] Shape)> tensors =
            [("input_layernorm.weight", "BF16", [Hidden]), ("post_attention_layernorm.weight", "BF16", [Hidden])];
        if (layer == _layers - 1)
        {
            tensors.AddRange(
            [
                ("self_attn.q_proj.weight", "BF16", [32 * 192, Hidden]), ("self_attn.kv_a_proj_with_mqa.weight", "BF16", [576, Hidden]),
                ("self_attn.kv_a_layernorm.weight", "BF16", [512]), ("self_attn.kv_b_proj.weight", "BF16", [32 * 256, 512]),
                ("self_attn.o_proj.weight", "BF16", [Hidden, 4096]),
            ]);
        }
        else
        {
            foreach (string part in new[] { "q", "k", "v" })
            {
                tensors.Add(($"self_attn.{part}_proj.weight", "BF16", [4096, Hidden]));
                tensors.Add(($"self_attn.{part}_conv1d.weight", "BF16", [4096, 1, 4]));
            }

            tensors.AddRange(
            [
                ("self_attn.A_log", "F32", [1, 1, 32, 1]), ("self_attn.dt_bias", "F32", [4096]),
                ("self_attn.f_a_proj.weight", "BF16", [128, Hidden]), ("self_attn.f_b_proj.weight", "BF16", [4096, 128]),
                ("self_attn.b_proj.weight", "BF16", [32, Hidden]), ("self_attn.g_a_proj.weight", "BF16", [128, Hidden]),
                ("self_attn.g_b_proj.weight", "BF16", [4096, 128]), ("self_attn.o_norm.weight", "BF16", [128]),
                ("self_attn.o_proj.weight", "BF16", [Hidden, 4096]),
            ]);
        }

        tensors.AddRange(layer == 0 ? Mlp("mlp.", "gate_proj", "up_proj", "down_proj", 9216) : Sparse());
        return tensors.Select(tensor => ($"model.layers.{layer}.{tensor.Name}", tensor.Type, tensor.Shape));
    }

    private IEnumerable<(string Name, string Type, long[] Shape)> Sparse() =>
    [
        ("block_sparse_moe.gate.weight", "BF16", [Experts, Hidden]),
        ("block_sparse_moe.gate.e_score_correction_bias", "F32", [Experts]),
        .. Enumerable.Range(0, Experts).SelectMany(expert => Mlp($"block_sparse_moe.experts.{expert}.", "w1", "w3", "w2", _expertDim)),
        .. Mlp("block_sparse_moe.shared_experts.", "gate_proj", "up_proj", "down_proj", _expertDim),
    ];

    private static IEnumerable<(string Name, string Type, long[] Shape)> Mlp(
        string prefix, string gate, string up, string down, int width) =>
    [
        ($"{prefix}{gate}.weight", "BF16", [width, Hidden]), ($"{prefix}{down}.weight", "BF16", [Hidden, width]),
        ($"{prefix}{up}.weight", "BF16", [width, Hidden]),
    ];

    private static long WriteFile(string path, (string Name, string Type, long[] Shape)[] tensors)
    {
        JsonObject header = new() { ["__metadata__"] = new JsonObject { ["format"] = "pt" } };
        long end = 0;
        List<(string Name, long Begin, long End)> places = [];

        // As the format's own writer lays them out: wide values first.
        foreach ((string name, string type, long[] shape) in tensors.OrderByDescending(tensor => tensor.Type == "F32"))
        {
            long begin = end;
            end += shape.Aggregate(type == "F32" ? 4L : 2L, (product, length) => product * length);
            header[name] = new JsonObject
            {
                ["dtype"] = type,
                ["shape"] = new JsonArray([.. shape.Select(length => JsonValue.Create(length))]),
                ["data_offsets"] = new JsonArray(begin, end),
            };
            places.Add((name, begin, end));
        }

        string json = header.ToJsonString();
        byte[] text = Encoding.UTF8.GetBytes(json.PadRight((json.Length + 7) / 8 * 8));
        byte[] length = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(length, text.Length);
        using FileStream stream = File.Create(path);
        stream.Write(length);
        stream.Write(text);
        stream.SetLength(8 + text.Length + end);
        foreach ((string name, long begin, long end2) in places)
        {
            foreach ((long offset, byte[] stamp) in Stamps(name, end2 - begin))
            {
                stream.Position = 8 + text.Length + begin + offset;
                stream.Write(stamp);
            }
        }

        return end;
    }

    private static byte[] Content(string name, long byteCount)
    {
        byte[] bytes = new byte[byteCount];
        foreach ((long offset, byte[] stamp) in Stamps(name, byteCount))
        {
            stamp.CopyTo(bytes, offset);
        }

        return bytes;
    }

    // Numbers far from any that a model would not take: two bytes of each are those of small weights. Routers get one in every row.
    private static IEnumerable<(long Offset, byte[] Stamp)> Stamps(string name, long byteCount)
    {
        int count = name.Contains(".gate.", StringComparison.Ordinal) ? Experts : 3;
        long step = count == Experts ? byteCount / Experts : (byteCount - StampBytes) / 2 / 4 * 4;
        int bytes = (int)Math.Min(StampBytes, count == Experts ? step : StampBytes);
        Random random = new(name.Aggregate(7, (hash, letter) => unchecked((hash * 31) + letter)));
        for (int i = 0; i < count; i++)
        {
            byte[] stamp = new byte[bytes];
            random.NextBytes(stamp);
            for (int high = 1; high < bytes; high += 2)
            {
                stamp[high] = 0x3C;
            }

            yield return (i * step, stamp);
        }
    }

    private static IEnumerable<(string Name, JsonElement Entry, long Begin, long End)> Entries(string file)
    {
        using FileStream stream = File.OpenRead(file);
        byte[] length = new byte[8];
        stream.ReadExactly(length);
        byte[] header = new byte[BinaryPrimitives.ReadInt64LittleEndian(length)];
        stream.ReadExactly(header);
        foreach (JsonProperty property in JsonSerializer.Deserialize<JsonElement>(header).EnumerateObject())
        {
            if (property.Name != "__metadata__")
            {
                long[] range = property.Value.GetProperty("data_offsets").Deserialize<long[]>()!;
                yield return (property.Name, property.Value, 8 + header.Length + range[0], 8 + header.Length + range[1]);
            }
        }
    }

    private static byte[] Bytes(string file, long begin, long end)
    {
        using FileStream stream = File.OpenRead(file);
        stream.Position = begin;
        byte[] bytes = new byte[end - begin];
        stream.ReadExactly(bytes);
        return bytes;
    }

    private JsonObject Config() => new()
    {
        ["architectures"] = new JsonArray("KimiLinearForCausalLM"),
        ["model_type"] = "kimi_linear",
        ["dtype"] = "bfloat16",
        ["eos_token_id"] = 2,
        ["first_k_dense_replace"] = 1,
        ["hidden_act"] = "silu",
        ["hidden_size"] = Hidden,
        ["intermediate_size"] = 9216,
        ["kv_lora_rank"] = 512,
        ["linear_attn_config"] = new JsonObject
        {
            ["full_attn_layers"] = new JsonArray(_layers),
            ["kda_layers"] = new JsonArray([.. Enumerable.Range(1, _layers - 1).Select(layer => JsonValue.Create(layer))]),
            ["head_dim"] = 128,
            ["num_heads"] = 32,
            ["short_conv_kernel_size"] = 4,
        },
        ["mla_use_nope"] = true,
        ["model_max_length"] = 1_048_576,
        ["moe_intermediate_size"] = _expertDim,
        ["moe_layer_freq"] = 1,
        ["moe_renormalize"] = true,
        ["moe_router_activation_func"] = "sigmoid",
        ["num_attention_heads"] = 32,
        ["num_expert_group"] = 1,
        ["num_experts"] = Experts,
        ["num_experts_per_token"] = 8,
        ["num_hidden_layers"] = _layers,
        ["num_key_value_heads"] = 32,
        ["num_shared_experts"] = 1,
        ["q_lora_rank"] = null,
        ["qk_nope_head_dim"] = 128,
        ["qk_rope_head_dim"] = 64,
        ["rms_norm_eps"] = 1e-5,
        ["routed_scaling_factor"] = 2.446,
        ["tie_word_embeddings"] = false,
        ["topk_group"] = 1,
        ["v_head_dim"] = 128,
        ["vocab_size"] = Vocabulary,
    };
}
