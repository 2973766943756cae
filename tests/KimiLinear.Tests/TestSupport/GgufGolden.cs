using KimiLinear.Checkpoints;
using KimiLinear.Tensors;
using Xunit;

namespace KimiLinear.Tests.TestSupport;

/// <summary>The small model that tests/golden/gguf holds in several formats.</summary>
internal static class GgufGolden
{
    public static readonly string[] Names =
        ["f16", "bf16", "q8_0", "q6_k", "q5_k_m", "q5_1", "q5_0", "q4_k_m", "q4_1", "q4_0"];

    public static TheoryData<string> All => new(Names);

    public static string Root { get; } = Path.Combine(Golden.Root, "gguf");

    public static string File(string name) => Path.Combine(Root, $"{name}.gguf");

    /// <summary>The tokens of a file's golden run, and the logits after each of them.</summary>
    public static unsafe (int[] InputIds, float[] Logits) Expected(string name)
    {
        using SafetensorsFile file = SafetensorsFile.Open(Path.Combine(Root, $"{name}.expected.safetensors"));
        StoredTensor ids = file.Tensors.Single(tensor => tensor.Name == "input_ids");
        StoredTensor logits = file.Tensors.Single(tensor => tensor.Name == "logits");
        float[] values = new float[logits.Shape.ElementCount];
        StoredValues.CopyTo(logits, values);
        return (new ReadOnlySpan<int>(ids.Data, (int)ids.Shape.ElementCount).ToArray(), values);
    }

    /// <summary>The very model, ready to be changed and written again.</summary>
    public static unsafe GgufWriter Copy(string name)
    {
        GgufWriter writer = new();
        Describe(writer);
        using GgufFile file = GgufFile.Open(File(name));
        foreach (GgufEntry entry in file.Entries)
        {
            StoredTensor tensor = file.View(entry);
            byte[] bytes = new ReadOnlySpan<byte>(tensor.Data, (int)tensor.ByteCount).ToArray();
            writer.Add(entry.Name, entry.Type.Id, bytes, entry.Shape.Lengths);
        }

        return writer;
    }

    // The metadata that the golden files hold, but for the tokenizer and the names.
    private static void Describe(GgufWriter writer) => writer
        .Set("general.architecture", "kimi-linear")
        .Set("kimi-linear.context_length", 8192u)
        .Set("kimi-linear.embedding_length", 256u)
        .Set("kimi-linear.block_count", 2u)
        .Set("kimi-linear.feed_forward_length", 256u)
        .Set("kimi-linear.attention.head_count", 2u)
        .Set("kimi-linear.attention.head_count_kv", new[] { 0, 1 })
        .Set("kimi-linear.attention.layer_norm_rms_epsilon", 1e-5f)
        .Set("kimi-linear.expert_count", 4u)
        .Set("kimi-linear.expert_used_count", 2u)
        .Set("kimi-linear.expert_gating_func", 2u)
        .Set("kimi-linear.vocab_size", 256u)
        .Set("kimi-linear.ssm.conv_kernel", 4u)
        .Set("kimi-linear.kda.head_dim", 128u)
        .Set("kimi-linear.attention.kv_lora_rank", 256u)
        .Set("kimi-linear.rope.dimension_count", 64u)
        .Set("kimi-linear.attention.key_length", 320u)
        .Set("kimi-linear.attention.value_length", 256u)
        .Set("kimi-linear.attention.key_length_mla", 192u)
        .Set("kimi-linear.attention.value_length_mla", 128u)
        .Set("kimi-linear.expert_feed_forward_length", 256u)
        .Set("kimi-linear.expert_shared_count", 1u)
        .Set("kimi-linear.leading_dense_block_count", 1u)
        .Set("kimi-linear.expert_weights_scale", 2.446f);
}
