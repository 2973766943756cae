using System.Text;
using System.Text.Json.Nodes;
using FsCheck;
using FsCheck.Fluent;
using KimiLinear.Configuration;
using Xunit;

namespace KimiLinear.Tests.Configuration;

public sealed class KimiLinearConfigReaderTests
{
    private const string Layers1To26 = "[1,2,3,5,6,7,9,10,11,13,14,15,17,18,19,21,22,23,25,26";

    [Theory]
    [InlineData("model_type", "\"kimi_k3\"", "kimi_k3", "kimi_linear")]
    [InlineData("model_type", "7", "7", "a number")]
    [InlineData("q_lora_rank", "1536", "1536", "null")]
    [InlineData("mla_use_nope", "false", "false", "true")]
    [InlineData("mla_use_nope", "null", "absent", "true")]
    [InlineData("mla_use_nope", "1", "1", "a number")]
    [InlineData("hidden_act", "\"gelu\"", "gelu", "silu")]
    [InlineData("moe_router_activation_func", "\"softmax\"", "softmax", "sigmoid")]
    [InlineData("num_nextn_predict_layers", "-1", "-1", "whole number")]
    [InlineData(
        "quantization_config",
        """{"quant_method":"compressed-tensors","format":"pack-quantized"}""",
        "compressed-tensors", "pack-quantized")]
    [InlineData("quantization_config", """{"bits":4,"group_size":64}""", "bits 4", "bfloat16")]
    [InlineData("quantization_config", "true", "present", "absent")]
    [InlineData(
        "quantization_config", """{"quant_method":"kimi-linear","version":3,"block_columns":32,"tile_rows":16}""",
        "quantization_config.version", "is 3")]
    [InlineData(
        "quantization_config", """{"quant_method":"kimi-linear","format":"q4","version":1,"block_columns":32,"tile_rows":16}""",
        "quantization_config.version", "is 1")]
    [InlineData(
        "quantization_config", """{"quant_method":"kimi-linear","version":2,"block_columns":64,"tile_rows":16}""",
        "quantization_config.block_columns", "is 64")]
    [InlineData(
        "quantization_config", """{"quant_method":"kimi-linear","version":2,"block_columns":32}""",
        "quantization_config.tile_rows", "required")]
    [InlineData(
        "quantization_config", """{"quant_method":"fp8","weight_block_size":[64,128]}""",
        "quantization_config.weight_block_size", "[64, 128]")]
    [InlineData(
        "quantization_config", """{"quant_method":"fp8","activation_scheme":"static"}""",
        "quantization_config.activation_scheme", "must be dynamic")]
    [InlineData("quantization_config", """{"quant_method":"fp8","fmt":"e5m2"}""", "quantization_config.fmt", "must be e4m3")]
    [InlineData(
        "quantization_config", """{"quant_method":"compressed-tensors","format":"nvfp4-pack-quantized"}""",
        "compressed-tensors", "nvfp4-pack-quantized")]
    [InlineData(
        "quantization_config",
        """{"quant_method":"compressed-tensors","format":"float-quantized","config_groups":{"g":{"weights":{"num_bits":4}}}}""",
        "quantization_config.config_groups.g.weights.num_bits", "from 8 to 8")]
    [InlineData(
        "quantization_config",
        """
        {"quant_method":"compressed-tensors","format":"float-quantized",
         "config_groups":{"g":{"weights":{"strategy":"group"}}}}
        """,
        "quantization_config.config_groups.g.weights.strategy", "tensor or channel or block")]
    [InlineData(
        "quantization_config",
        """
        {"quant_method":"compressed-tensors","format":"float-quantized",
         "config_groups":{"g":{"input_activations":{"dynamic":false}}}}
        """,
        "quantization_config.config_groups.g.input_activations.dynamic", "must be true")]
    [InlineData(
        "quantization_config",
        """{"quant_method":"compressed-tensors","format":"float-quantized","kv_cache_scheme":{"num_bits":8}}""",
        "quantization_config.kv_cache_scheme", "must be absent")]
    [InlineData(
        "quantization_config",
        """{"quant_method":"compressed-tensors","format":"float-quantized","sparsity_config":{"format":"sparse-24"}}""",
        "quantization_config.sparsity_config.format", "must be dense")]
    [InlineData("linear_attn_config", "[]", "[]", "an object")]
    [InlineData("linear_attn_config.num_heads", "\"32\"", "\"32\"", "a string")]
    [InlineData("linear_attn_config.head_dim", "0", "0", "from 1")]
    [InlineData("linear_attn_config.head_dim", "null", "required", "linear_head_dim")]
    [InlineData("linear_attn_config.short_conv_kernel_size", "1000", "1000", "64")]
    [InlineData("linear_attn_config.kda_layers", Layers1To26 + ",4]", "4", "full_attn_layers")]
    [InlineData("linear_attn_config.kda_layers", Layers1To26 + ",26]", "26", "twice")]
    [InlineData("linear_attn_config.kda_layers", Layers1To26 + ",28]", "28", "27")]
    [InlineData("linear_attn_config.kda_layers", Layers1To26 + ",0]", "0", "counting from 1")]
    [InlineData("linear_attn_config.kda_layers", Layers1To26 + ",1.5]", "1.5", "whole numbers")]
    [InlineData("linear_attn_config.kda_layers", Layers1To26 + ",\"4\"]", "\"4\"", "a string")]
    [InlineData("linear_attn_config.kda_layers", "[1,2,3]", "layer 5", "once")]
    [InlineData("linear_attn_config.kda_layers", "3", "3", "a number")]
    [InlineData("linear_attn_config.full_attn_layers", "null", "required", "does not have it")]
    [InlineData("linear_attn_config.gate_lower_bound", "-5.0", "-5.0", "not supported")]
    [InlineData("linear_attn_config.use_full_rank_gate", "true", "true", "not supported")]
    [InlineData("attn_res_block_size", "12", "12", "not supported")]
    [InlineData("layer_types", "[\"full_attention\"]", "27 layers", "has 1")]
    [InlineData("mlp_layer_types", "[\"sparse\"]", "27 layers", "has 1")]
    [InlineData("num_experts", "7", "num_experts_per_token", "is 8")]
    [InlineData("num_experts", "-1", "-1", "whole number")]
    [InlineData("num_experts", "256.5", "256.5", "whole number")]
    [InlineData("num_experts", "65536", "27 × 65536", "num_hidden_layers")]
    [InlineData("num_experts", "[256]", "[256]", "a list")]
    [InlineData("num_expert_group", "3", "3", "divide num_experts (256)")]
    [InlineData("num_expert_group", "256", "256", "at least 2")]
    [InlineData("num_expert_group", "64", "num_experts_per_token", "at most 4")]
    [InlineData("topk_group", "2", "2", "num_expert_group (1)")]
    [InlineData("num_key_value_heads", "8", "8", "num_attention_heads (32)")]
    [InlineData("num_attention_heads", "60000", "60000", "num_key_value_heads")]
    [InlineData("hidden_size", "0", "0", "from 1")]
    [InlineData("hidden_size", "-2304", "-2304", "from 1")]
    [InlineData("hidden_size", "99999999999", "99999999999", "from 1")]
    [InlineData("vocab_size", "2147483647", "2147483647", "from 1")]
    [InlineData("num_hidden_layers", "1000000", "1000000", "from 1")]
    [InlineData("num_hidden_layers", "null", "required", "does not have it")]
    [InlineData("model_max_length", "null", "required", "max_position_embeddings")]
    [InlineData("num_experts_per_token", "null", "required", "num_experts_per_tok")]
    [InlineData("num_shared_experts", "60000", "60000 × 1024", "num_shared_experts")]
    [InlineData("rms_norm_eps", "0", "0", "positive")]
    [InlineData("rms_norm_eps", "-1e-5", "-1e-5", "positive")]
    [InlineData("rms_norm_eps", "1e-60", "1e-60", "positive")]
    [InlineData("rms_norm_eps", "\"1e-5\"", "\"1e-5\"", "a string")]
    [InlineData("routed_scaling_factor", "1e60", "1e60", "positive")]
    [InlineData("moe_renormalize", "\"true\"", "\"true\"", "a string")]
    [InlineData("tie_word_embeddings", "0", "0", "a number")]
    [InlineData("eos_token_id", "\"[EOS]\"", "\"[EOS]\"", "a string")]
    [InlineData("eos_token_id", "[1, 2.5]", "2.5", "token id")]
    [InlineData("bos_token_id", "[1]", "[1]", "a list")]
    [InlineData("moe_layer_freq", "0", "0", "from 1")]
    [InlineData("first_k_dense_replace", "-1", "-1", "from 0")]
    [InlineData("n_routed_experts", "1e99999999999", "num_experts is 256", "n_routed_experts is 1e99999999999")]
    [InlineData("n_routed_experts", "128", "num_experts is 256", "n_routed_experts is 128")]
    [InlineData("max_position_embeddings", "4096", "1048576", "4096")]
    [InlineData("linear_num_heads", "16", "16", "32")]
    public void Read_ValueThatCannotBeRun_NamesKeyAndValue(string key, string value, string found, string accepted)
    {
        ModelConfigurationException exception =
            Assert.Throws<ModelConfigurationException>(() => PublishedConfig.Parse(key, value));

        Assert.Contains(key.Split('.')[^1], exception.Message, StringComparison.Ordinal);
        Assert.Contains(found, exception.Message, StringComparison.Ordinal);
        Assert.Contains(accepted, exception.Message, StringComparison.Ordinal);
        Assert.Equal("config.json", exception.FilePath);
        Assert.Contains("'config.json'", exception.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("q8", 1)]
    [InlineData("bf16", 1)]
    [InlineData("q8", 2)]
    [InlineData("q4", 2)]
    public void Read_PackingOfSameBytes_IsAccepted(string format, int version) => Assert.Equal(
        27,
        PublishedConfig.Parse(
            "quantization_config",
            $$"""
            {"quant_method":"kimi-linear","format":"{{format}}","version":{{version}},"block_columns":32,"tile_rows":16}
            """).LayerCount);

    [Fact]
    public void Read_GroupsSwitchedOff_IsRefused()
    {
        JsonObject json = PublishedConfig.With("num_expert_group", "4");
        json["topk_group"] = 2;
        json["use_grouped_topk"] = false;

        ModelConfigurationException exception = Assert.Throws<ModelConfigurationException>(() => PublishedConfig.Parse(json));

        Assert.Contains("use_grouped_topk", exception.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", "not valid JSON")]
    [InlineData("{", "not valid JSON")]
    [InlineData("[]", "a list")]
    [InlineData("{\"hidden_size\":1,\"hidden_size\":2}", "not valid JSON")]
    [InlineData("{\"model_type\":\"\\ud800\"}", "'config.json'")]
    public void Read_DamagedText_SaysSo(string text, string expected)
    {
        ModelConfigurationException exception = Assert.Throws<ModelConfigurationException>(
            () => KimiLinearConfig.Parse(Encoding.UTF8.GetBytes(text), "config.json"));

        Assert.Contains(expected, exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Read_ByteOrderMark_IsSkipped() =>
        Assert.Equal(27, KimiLinearConfig.Parse([.. Encoding.UTF8.Preamble, .. Bytes(PublishedConfig.Text)]).LayerCount);

    [Fact]
    public void Read_AnyDamage_GivesAConfigurationOrItsOwnException()
    {
        byte[] text = Encoding.UTF8.GetBytes(PublishedConfig.Text);
        Gen<(int Position, byte Value)> damage =
            from position in Gen.Choose(0, text.Length - 1)
            from value in Gen.OneOf(
                Gen.Choose(0, 255),
                Gen.Elements(Bytes("\"{}[],:0123456789.-e\\tfn").Select(value => (int)value)))
            select (position, (byte)value);

        Prop.ForAll(damage.NonEmptyListOf().ToArbitrary(), changes =>
        {
            byte[] damaged = [.. text];
            foreach ((int position, byte value) in changes.Take(3))
            {
                damaged[position] = value;
            }

            try
            {
                return KimiLinearConfig.Parse(damaged).LayerCount > 0;
            }
            catch (ModelConfigurationException)
            {
                return true;
            }
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(2000));
    }

    private static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);
}
