using System.Text.Json.Nodes;

namespace KimiLinear.Configuration;

/// <summary>Writes a configuration as a <c>config.json</c> that reads back the same, for models that come without one.</summary>
internal static class KimiLinearConfigWriter
{
    public static JsonObject Write(KimiLinearConfig config) => new()
    {
        ["architectures"] = new JsonArray("KimiLinearForCausalLM"),
        ["model_type"] = "kimi_linear",
        ["vocab_size"] = config.VocabularySize,
        ["hidden_size"] = config.HiddenDim,
        ["intermediate_size"] = config.DenseDim,
        ["num_hidden_layers"] = config.LayerCount,
        ["rms_norm_eps"] = config.RmsNormEpsilon,
        ["hidden_act"] = "silu",
        ["linear_attn_config"] = new JsonObject
        {
            ["full_attn_layers"] = OneBased(config, LayerKind.Latent),
            ["kda_layers"] = OneBased(config, LayerKind.KimiDelta),
            ["head_dim"] = config.DeltaHeadDim,
            ["num_heads"] = config.DeltaHeadCount,
            ["short_conv_kernel_size"] = config.ConvolutionWidth,
        },
        ["mla_use_nope"] = true,
        ["num_attention_heads"] = config.LatentHeadCount,
        ["num_key_value_heads"] = config.LatentHeadCount,
        ["q_lora_rank"] = null,
        ["kv_lora_rank"] = config.LatentRank,
        ["qk_nope_head_dim"] = config.QkNopeHeadDim,
        ["qk_rope_head_dim"] = config.QkRopeHeadDim,
        ["v_head_dim"] = config.LatentValueDim,
        ["mlp_layer_types"] = List(config.SparseLayers, isSparse => isSparse ? "sparse" : "dense"),
        ["num_experts"] = config.ExpertCount,
        ["num_experts_per_token"] = config.ActiveExpertCount,
        ["num_shared_experts"] = config.SharedExpertCount,
        ["moe_intermediate_size"] = config.ExpertDim,
        ["num_expert_group"] = config.ExpertGroupCount,
        ["topk_group"] = config.ActiveExpertGroupCount,
        ["use_grouped_topk"] = true,
        ["moe_renormalize"] = config.NormalizeRouterWeights,
        ["moe_router_activation_func"] = "sigmoid",
        ["routed_scaling_factor"] = config.RoutedScalingFactor,
        ["model_max_length"] = config.MaxContextTokens,
        ["eos_token_id"] = List(config.EosTokenIds, id => id),
        ["bos_token_id"] = config.BosTokenId,
        ["pad_token_id"] = config.PadTokenId,
        ["dtype"] = config.StatedDataType,
        ["tie_word_embeddings"] = config.TieWordEmbeddings,
    };

    private static JsonArray OneBased(KimiLinearConfig config, LayerKind kind) =>
        List(Enumerable.Range(0, config.LayerCount).Where(layer => config.LayerKinds[layer] == kind), layer => layer + 1);

    private static JsonArray List<T>(IEnumerable<T> values, Func<T, JsonNode> write) => new([.. values.Select(write)]);
}
