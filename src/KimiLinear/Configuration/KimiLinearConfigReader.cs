using System.Text.Json;
using static KimiLinear.Configuration.KimiLinearConfigRanges;

namespace KimiLinear.Configuration;

/// <summary>Turns <c>config.json</c> into a <see cref="KimiLinearConfig"/>: the one place that knows its spellings.</summary>
/// <param name="json">The outermost object of the file.</param>
/// <param name="filePath">The file, for messages.</param>
internal sealed class KimiLinearConfigReader(ConfigurationObject json, string? filePath)
{
    public const string FileName = "config.json";

    public static readonly ConfigurationKey ExpertCount = new("num_experts", "n_routed_experts", "num_local_experts");

    private const string ModelType = "kimi_linear";

    private static readonly ConfigurationKey ActiveExpertCount = new("num_experts_per_token", "num_experts_per_tok");
    private static readonly ConfigurationKey SharedExpertCount = new("num_shared_experts", "n_shared_experts");
    private static readonly ConfigurationKey ExpertGroupCount = new("num_expert_group", "n_group");
    private static readonly ConfigurationKey NormalizeRouterWeights = new("moe_renormalize", "norm_topk_prob");
    private static readonly ConfigurationKey RouterActivation = new("moe_router_activation_func", "scoring_func");
    private static readonly ConfigurationKey MaxContextTokens = new("model_max_length", "max_position_embeddings");
    private static readonly ConfigurationKey NextTokenLayerCount = new("num_nextn_predict_layers", "num_mtp_layers");
    private static readonly ConfigurationKey StatedDataType = new("dtype", "torch_dtype");
    private static readonly ConfigurationKey DenseDim = new("intermediate_size", "dense_ffn_hidden");
    private static readonly ConfigurationKey NativeDeltaHeadDim =
        new("linear_head_dim", "linear_key_head_dim", "linear_value_head_dim");
    private static readonly ConfigurationKey NativeDeltaHeadCount =
        new("linear_num_heads", "linear_num_key_heads", "linear_num_value_heads");
    private static readonly ConfigurationKey NativeConvolutionWidth = "linear_conv_kernel_dim";

    // Features of later relatives. Without them the arithmetic would be a different model's.
    private static readonly string[] FeaturesThatMustBeOff =
    [
        "mla_use_output_gate", "attn_res_block_size", "routed_expert_hidden_size", "use_full_rank_gate", "gate_lower_bound",
        "allow_neg_eigval", "attention_bias", "mlp_bias",
    ];

    public KimiLinearConfig Read()
    {
        RefuseOtherModels();
        QuantizationEntry.Check(json);
        ConfigurationObject? linear = json.OptionalObject("linear_attn_config");
        RefuseUnsupportedFeatures(linear);

        int layerCount = json.Integer("num_hidden_layers", 1, MaxLayers);
        int vocabularySize = json.Integer("vocab_size", 1, MaxVocabulary);
        int expertCount = json.OptionalInteger(ExpertCount, 0, MaxCount) ?? 0;
        bool hasExperts = expertCount > 0;
        LayerLists layers = new(json, linear, layerCount);

        KimiLinearConfig config = new()
        {
            VocabularySize = vocabularySize,
            HiddenDim = json.Integer("hidden_size", 1, MaxDim),
            DenseDim = json.Integer(DenseDim, 1, MaxDim),
            LayerKinds = layers.ReadKinds(),
            SparseLayers = layers.ReadSparse(hasExperts),
            RmsNormEpsilon = json.OptionalPositiveSingle("rms_norm_eps") ?? 1e-6f,
            DeltaHeadCount = Linear(linear, "num_heads", NativeDeltaHeadCount, MaxCount),
            DeltaHeadDim = Linear(linear, "head_dim", NativeDeltaHeadDim, MaxDim),
            ConvolutionWidth = Linear(linear, "short_conv_kernel_size", NativeConvolutionWidth, MaxConvolutionWidth),
            LatentHeadCount = json.Integer("num_attention_heads", 1, MaxCount),
            LatentRank = json.Integer("kv_lora_rank", 1, MaxDim),
            QkNopeHeadDim = json.Integer("qk_nope_head_dim", 1, MaxDim),
            QkRopeHeadDim = json.Integer("qk_rope_head_dim", 1, MaxDim),
            LatentValueDim = json.Integer("v_head_dim", 1, MaxDim),
            ExpertCount = expertCount,
            ActiveExpertCount = hasExperts ? json.Integer(ActiveExpertCount, 1, MaxCount) : 0,
            SharedExpertCount = hasExperts ? json.OptionalInteger(SharedExpertCount, 0, MaxCount) ?? 0 : 0,
            ExpertDim = hasExperts ? json.Integer("moe_intermediate_size", 1, MaxDim) : 0,
            ExpertGroupCount = hasExperts ? json.OptionalInteger(ExpertGroupCount, 1, MaxCount) ?? 1 : 1,
            ActiveExpertGroupCount = hasExperts ? json.OptionalInteger("topk_group", 1, MaxCount) ?? 1 : 1,
            NormalizeRouterWeights = json.OptionalBoolean(NormalizeRouterWeights) ?? true,
            RoutedScalingFactor = json.OptionalPositiveSingle("routed_scaling_factor") ?? 1,
            MaxContextTokens = json.Integer(MaxContextTokens, 1, int.MaxValue),
            EosTokenIds = json.TokenIds("eos_token_id", vocabularySize),
            BosTokenId = json.TokenId("bos_token_id", vocabularySize),
            PadTokenId = json.TokenId("pad_token_id", vocabularySize),
            StatedDataType = json.OptionalString(StatedDataType),
            TieWordEmbeddings = json.OptionalBoolean("tie_word_embeddings") ?? false,
        };

        RefuseUngroupedSelection(config);
        KimiLinearConfigRules.Check(config, filePath);
        return config;
    }

    private int Linear(ConfigurationObject? linear, string name, ConfigurationKey native, int max)
    {
        int? nested = linear?.OptionalInteger(name, 1, max);
        int? flat = json.OptionalInteger(native, 1, max);
        if (nested is not null && flat is not null && nested != flat)
        {
            throw json.Refuse(
                native.Name, $"must agree with linear_attn_config.{name}", $"the one is {flat} and the other {nested}");
        }

        return nested ?? flat ?? throw json.Missing(new($"linear_attn_config.{name}", [native.Name, .. native.Aliases]));
    }

    private void RefuseOtherModels()
    {
        string modelType = json.OptionalString("model_type") ?? throw json.Missing("model_type");
        if (modelType != ModelType)
        {
            throw json.Refuse("model_type", $"must be \"{ModelType}\"", $"is \"{modelType}\"");
        }
    }

    private void RefuseUnsupportedFeatures(ConfigurationObject? linear)
    {
        if (json.TryFind("q_lora_rank", out JsonElement rank, out _))
        {
            throw json.Refuse(
                "q_lora_rank", "must be null, because only models with an uncompressed query projection can be run", rank);
        }

        if (json.OptionalBoolean("mla_use_nope") is not true)
        {
            string finding = json.Has("mla_use_nope") ? "is false" : "is absent, which means false,";
            throw json.Refuse("mla_use_nope", "must be true, because rotary positions are not supported", finding);
        }

        RequireString("hidden_act", "silu");
        RequireString(RouterActivation, "sigmoid");
        RequireEqualKeyValueHeads();

        // Extra prediction layers only speed up decoding; the model itself runs without them.
        _ = json.OptionalInteger(NextTokenLayerCount, 0, MaxLayers);

        foreach (string feature in FeaturesThatMustBeOff)
        {
            RefuseUnlessOff(json, feature);
            if (linear is not null)
            {
                RefuseUnlessOff(linear, feature);
            }
        }
    }

    private void RequireString(ConfigurationKey key, string accepted)
    {
        if (json.OptionalString(key) is { } value && value != accepted)
        {
            _ = json.TryFind(key, out _, out string spelling);
            throw json.Refuse(spelling, $"must be \"{accepted}\"", $"is \"{value}\"");
        }
    }

    private void RequireEqualKeyValueHeads()
    {
        int heads = json.Integer("num_attention_heads", 1, MaxCount);
        int keyValueHeads = json.OptionalInteger("num_key_value_heads", 1, MaxCount) ?? heads;
        if (keyValueHeads != heads)
        {
            throw json.Refuse("num_key_value_heads", $"must equal num_attention_heads ({heads})", $"is {keyValueHeads}");
        }
    }

    private static void RefuseUnlessOff(ConfigurationObject owner, string feature)
    {
        bool isOn = owner.TryFind(feature, out JsonElement value, out _)
            && value.ValueKind != JsonValueKind.False
            && !(value.ValueKind == JsonValueKind.Number && value.GetDouble() == 0);
        if (isOn)
        {
            throw owner.Refuse(feature, "must be absent, false or 0, because this feature is not supported", value);
        }
    }

    // Published implementations disagree on what groups mean when this is off, so there is no right answer to compute.
    private void RefuseUngroupedSelection(KimiLinearConfig config)
    {
        if (config.ExpertGroupCount > 1 && json.OptionalBoolean("use_grouped_topk") is false)
        {
            throw json.Refuse(
                "use_grouped_topk", $"must be true when num_expert_group ({config.ExpertGroupCount}) is above 1", "is false");
        }
    }
}
