using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using KimiLinear.Tokenization;

namespace KimiLinear.Tests.TestSupport;

/// <summary>The trained small model as a GGUF file, laid out the way llama.cpp's converter does it.</summary>
internal static class TinyGguf
{
    private const uint Float32 = 0;
    private const uint BFloat16 = 30;

    private const int LayerCount = 6;
    private const int ExpertCount = 20;

    // A head of latent attention: 32 key and 32 value rows over a rank of 64.
    private const int HeadCount = 4;
    private const int HeadDim = 32;
    private const int Rank = 64;

    private static readonly (string Gguf, string Published)[] Names =
    [
        ("attn_norm", "input_layernorm"), ("ffn_norm", "post_attention_layernorm"), ("attn_q", "self_attn.q_proj"),
        ("attn_k", "self_attn.k_proj"), ("attn_v", "self_attn.v_proj"), ("attn_output", "self_attn.o_proj"),
        ("ssm_f_a", "self_attn.f_a_proj"), ("ssm_f_b", "self_attn.f_b_proj"), ("ssm_beta", "self_attn.b_proj"),
        ("ssm_g_a", "self_attn.g_a_proj"), ("ssm_g_b", "self_attn.g_b_proj"), ("ssm_norm", "self_attn.o_norm"),
        ("ssm_conv1d_q", "self_attn.q_conv1d"), ("ssm_conv1d_k", "self_attn.k_conv1d"), ("ssm_conv1d_v", "self_attn.v_conv1d"),
        ("attn_kv_a_mqa", "self_attn.kv_a_proj_with_mqa"), ("attn_kv_a_norm", "self_attn.kv_a_layernorm"),
        ("ffn_gate", "mlp.gate_proj"), ("ffn_up", "mlp.up_proj"), ("ffn_down", "mlp.down_proj"),
        ("ffn_gate_inp", "block_sparse_moe.gate"), ("ffn_gate_shexp", "block_sparse_moe.shared_experts.gate_proj"),
        ("ffn_up_shexp", "block_sparse_moe.shared_experts.up_proj"),
        ("ffn_down_shexp", "block_sparse_moe.shared_experts.down_proj"),
    ];

    /// <summary>The folder of the published form.</summary>
    public static string Folder { get; } = Path.Combine(RepositoryRoot(), "samples", "models", "kimi-linear-tiny");

    /// <summary>Writes the file and returns its path.</summary>
    public static string Write(string path)
    {
        GgufWriter writer = Describe(new GgufWriter());
        AddTokenizer(writer);
        byte[] file = File.ReadAllBytes(Path.Combine(Folder, "model.safetensors"));
        int headerBytes = (int)BinaryPrimitives.ReadInt64LittleEndian(file);
        JsonElement header = JsonSerializer.Deserialize<JsonElement>(file.AsSpan(sizeof(long), headerBytes));
        foreach ((string gguf, string published) in
            new[] { ("token_embd", "model.embed_tokens"), ("output_norm", "model.norm"), ("output", "lm_head") })
        {
            AddPlain(writer, $"{gguf}.weight", Find($"{published}.weight")!);
        }

        for (int layer = 0; layer < LayerCount; layer++)
        {
            AddLayer(writer, $"blk.{layer}.", name => Find($"model.layers.{layer}.{name}"));
        }

        File.WriteAllBytes(path, writer.ToBytes());
        return path;

        Published? Find(string name)
        {
            if (!header.TryGetProperty(name, out JsonElement entry))
            {
                return null;
            }

            int[] range = entry.GetProperty("data_offsets").Deserialize<int[]>()!;
            byte[] bytes = file.AsSpan(sizeof(long) + headerBytes)[range[0]..range[1]].ToArray();
            return new Published(
                entry.GetProperty("dtype").GetString() == "F32", entry.GetProperty("shape").Deserialize<long[]>()!, bytes);
        }
    }

    private static void AddLayer(GgufWriter writer, string prefix, Func<string, Published?> find)
    {
        foreach ((string gguf, string published) in Names)
        {
            if (find($"{published}.weight") is { } tensor)
            {
                AddPlain(writer, $"{prefix}{gguf}.weight", tensor);
            }
        }

        if (find("self_attn.A_log") is { } logarithms)
        {
            float[] factors = [.. logarithms.ToFloats().Select(value => -MathF.Exp(value))];
            writer.Add($"{prefix}ssm_a", Float32, Bytes(factors), 1, 1, factors.Length, 1);
            AddPlain(writer, $"{prefix}ssm_dt.bias", find("self_attn.dt_bias")!);
        }

        if (find("self_attn.kv_b_proj.weight") is { } keyValueUp)
        {
            AddKeyValueUp(writer, prefix, keyValueUp.ToFloats());
        }

        if (find("block_sparse_moe.gate.e_score_correction_bias") is { } bias)
        {
            AddPlain(writer, $"{prefix}exp_probs_b.bias", bias);
            foreach ((string gguf, string published) in new[] { ("gate", "w1"), ("up", "w3"), ("down", "w2") })
            {
                Published[] experts = [.. Enumerable.Range(0, ExpertCount)
                    .Select(expert => find($"block_sparse_moe.experts.{expert}.{published}.weight")!)];
                byte[] stack = [.. experts.SelectMany(expert => expert.Bytes)];
                writer.Add($"{prefix}ffn_{gguf}_exps.weight", BFloat16, stack, [ExpertCount, .. experts[0].Shape]);
            }
        }
    }

    private static void AddKeyValueUp(GgufWriter writer, string prefix, float[] joined)
    {
        List<float> keys = [];
        List<float> values = [];
        for (int head = 0; head < HeadCount; head++)
        {
            float[] rows = joined[(2 * head * HeadDim * Rank)..(2 * (head + 1) * HeadDim * Rank)];
            for (int rank = 0; rank < Rank; rank++)
            {
                keys.AddRange(Enumerable.Range(0, HeadDim).Select(row => rows[(row * Rank) + rank]));
            }

            values.AddRange(rows[(HeadDim * Rank)..]);
        }

        writer.Add($"{prefix}attn_k_b.weight", Float32, Bytes([.. keys]), HeadCount, Rank, HeadDim);
        writer.Add($"{prefix}attn_v_b.weight", Float32, Bytes([.. values]), HeadCount, HeadDim, Rank);
    }

    // Vectors and convolutions are always single precision.
    private static void AddPlain(GgufWriter writer, string name, Published tensor)
    {
        if (tensor.IsFloat32 || tensor.Shape.Length != 2)
        {
            writer.Add(name, Float32, Bytes(tensor.ToFloats()), tensor.Shape);
        }
        else
        {
            writer.Add(name, BFloat16, tensor.Bytes, tensor.Shape);
        }
    }

    private static GgufWriter Describe(GgufWriter writer) => writer
        .Set("general.architecture", "kimi-linear")
        .Set("general.file_type", 32u)
        .Set("kimi-linear.context_length", 1_048_576u)
        .Set("kimi-linear.embedding_length", 128u)
        .Set("kimi-linear.block_count", (uint)LayerCount)
        .Set("kimi-linear.feed_forward_length", 256u)
        .Set("kimi-linear.attention.head_count", (uint)HeadCount)
        .Set("kimi-linear.attention.head_count_kv", new[] { 0, 0, 0, 1, 0, 1 })
        .Set("kimi-linear.attention.layer_norm_rms_epsilon", 1e-5f)
        .Set("kimi-linear.attention.kv_lora_rank", (uint)Rank)
        .Set("kimi-linear.attention.key_length", 80u)
        .Set("kimi-linear.attention.key_length_mla", 48u)
        .Set("kimi-linear.attention.value_length_mla", (uint)HeadDim)
        .Set("kimi-linear.rope.dimension_count", 16u)
        .Set("kimi-linear.ssm.conv_kernel", 4u)
        .Set("kimi-linear.kda.head_dim", 64u)
        .Set("kimi-linear.vocab_size", 1536u)
        .Set("kimi-linear.expert_count", (uint)ExpertCount)
        .Set("kimi-linear.expert_used_count", 4u)
        .Set("kimi-linear.expert_group_used_count", 1u)
        .Set("kimi-linear.expert_gating_func", 2u)
        .Set("kimi-linear.expert_feed_forward_length", 64u)
        .Set("kimi-linear.expert_shared_count", 1u)
        .Set("kimi-linear.leading_dense_block_count", 1u)
        .Set("kimi-linear.expert_weights_scale", 2.446f);

    private static void AddTokenizer(GgufWriter writer)
    {
        KimiTokenizer tokenizer = KimiTokenizer.Load(Folder);
        int[] ids = [.. Enumerable.Range(0, tokenizer.VocabularySize)];
        string[] tokens =
        [
            .. ids.Select(id => tokenizer.IsSpecialToken(id)
                ? Encoding.UTF8.GetString(tokenizer.GetBytes(id))
                : GgufText.Of(tokenizer.GetBytes(id))),
        ];
        writer.Set("tokenizer.ggml.model", "gpt2")
            .Set("tokenizer.ggml.pre", "kimi-k2")
            .Set("tokenizer.ggml.tokens", tokens)
            .Set("tokenizer.ggml.token_type", ids.Select(id => tokenizer.IsSpecialToken(id) ? 3 : 1).ToArray())
            .Set("tokenizer.ggml.bos_token_id", 1280u)
            .Set("tokenizer.ggml.eos_token_id", 1282u)
            .Set("tokenizer.ggml.padding_token_id", 1535u);
    }

    private static byte[] Bytes(float[] values) => MemoryMarshal.AsBytes(values.AsSpan()).ToArray();

    private static string RepositoryRoot([CallerFilePath] string here = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "..", "..", ".."));

    private sealed record Published(bool IsFloat32, long[] Shape, byte[] Bytes)
    {
        public float[] ToFloats() => IsFloat32
            ? MemoryMarshal.Cast<byte, float>(Bytes).ToArray()
            :
            [
                .. MemoryMarshal.Cast<byte, ushort>(Bytes).ToArray()
                    .Select(bits => BitConverter.UInt32BitsToSingle((uint)bits << 16)),
            ];
    }
}
