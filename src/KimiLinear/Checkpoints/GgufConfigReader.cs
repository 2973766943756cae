using KimiLinear.Configuration;
using KimiLinear.Tensors;

namespace KimiLinear.Checkpoints;

/// <summary>Makes a <see cref="KimiLinearConfig"/> of a GGUF model's metadata: the one place that knows its keys.</summary>
/// <remarks>
/// Where the metadata leave a dimension out, or older converters wrote another value there, the tensors' shapes tell it.
/// </remarks>
/// <param name="model">The model.</param>
internal sealed class GgufConfigReader(GgufModel model)
{
    // The limits of config.json: a value beyond is a damaged file, not a model.
    private const int MaxVocabulary = 1 << 24;
    private const int MaxDim = 1 << 20;
    private const int MaxLayers = 1 << 12;
    private const int MaxCount = 1 << 16;
    private const int MaxConvolutionWidth = 64;

    private const int SigmoidGating = 2;

    private const string KeyValueHeadsKey = "attention.head_count_kv";
    private const string KeyLengthKey = "attention.key_length_mla";
    private const string DeltaHeadDimKey = "kda.head_dim";

    // Features of later relatives. Without them the arithmetic would be a different model's.
    private static readonly string[] FeaturesThatMustBeOff =
        ["attention.q_lora_rank", "attn_res_block_size", "moe_latent_size", "kda.safe_gate", "kda.gate_lower_bound"];

    // The second ends a turn where the first ends a text.
    private static readonly string[] EndTokenKeys = ["tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id"];

    private readonly GgufMetadata _metadata = model.Metadata;
    private readonly Dictionary<string, Shape> _shapes =
        model.Tensors.ToDictionary(tensor => tensor.Name, tensor => tensor.Shape);

    /// <summary>Reads and validates the configuration.</summary>
    /// <exception cref="ModelFormatException">A value is missing, or describes a model that cannot be run.</exception>
    public KimiLinearConfig Read()
    {
        RefuseUnsupportedFeatures();
        int layerCount = Integer("block_count", MaxLayers);
        LayerKind[] kinds = ReadKinds(layerCount);
        int vocabularySize = OptionalInteger("vocab_size", 1, MaxVocabulary) ?? VocabularyRows();
        int experts = OptionalInteger("expert_count", 0, MaxCount) ?? 0;
        int heads = Integer("attention.head_count", MaxCount);
        int rank = Integer("attention.kv_lora_rank", MaxDim);
        int sharedKeyDim = ReadSharedKeyDim(kinds, rank);
        int deltaHeadDim = Integer(DeltaHeadDimKey, MaxDim);

        KimiLinearConfig config = new()
        {
            VocabularySize = vocabularySize,
            HiddenDim = Integer("embedding_length", MaxDim),
            DenseDim = Integer("feed_forward_length", MaxDim),
            LayerKinds = kinds,
            SparseLayers = ReadSparse(layerCount, experts > 0),
            RmsNormEpsilon = PositiveSingle("attention.layer_norm_rms_epsilon") ?? 1e-6f,
            DeltaHeadCount = ReadDeltaHeadCount(kinds, deltaHeadDim) ?? heads,
            DeltaHeadDim = deltaHeadDim,
            ConvolutionWidth = Integer("ssm.conv_kernel", MaxConvolutionWidth),
            LatentHeadCount = heads,
            LatentRank = rank,
            QkNopeHeadDim = ReadOwnKeyDim(sharedKeyDim),
            QkRopeHeadDim = sharedKeyDim,
            LatentValueDim = Integer("attention.value_length_mla", MaxDim),
            ExpertCount = experts,
            ActiveExpertCount = experts > 0 ? Integer("expert_used_count", MaxCount) : 0,
            SharedExpertCount = experts > 0 ? OptionalInteger("expert_shared_count", 0, MaxCount) ?? 0 : 0,
            ExpertDim = experts > 0 ? Integer("expert_feed_forward_length", MaxDim) : 0,
            ExpertGroupCount = experts > 0 ? AtLeastOne("expert_group_count") : 1,
            ActiveExpertGroupCount = experts > 0 ? AtLeastOne("expert_group_used_count") : 1,
            NormalizeRouterWeights = _metadata.OptionalBoolean(GgufModel.Key("expert_weights_norm")) ?? true,
            RoutedScalingFactor = PositiveSingle("expert_weights_scale") ?? 1,
            MaxContextTokens = Integer("context_length", int.MaxValue),
            EosTokenIds = ReadEndTokens(vocabularySize),
            BosTokenId = TokenId("tokenizer.ggml.bos_token_id", vocabularySize),
            PadTokenId = TokenId("tokenizer.ggml.padding_token_id", vocabularySize),
            StatedDataType = ReadFileType(),
            TieWordEmbeddings = !_shapes.ContainsKey(GgufNames.Head),
        };

        KimiLinearConfigRules.Check(config, _metadata.FilePath);
        return config;
    }

    private void RefuseUnsupportedFeatures()
    {
        foreach (string key in FeaturesThatMustBeOff.Select(GgufModel.Key))
        {
            if (_metadata.Has(key) && !_metadata.IsZero(key))
            {
                throw _metadata.Refuse(key, "must be absent, because this feature is not supported", "is present");
            }
        }

        string gating = GgufModel.Key("expert_gating_func");
        if (_metadata.OptionalInteger(gating, 0, int.MaxValue) is long function and not SigmoidGating)
        {
            throw _metadata.Refuse(gating, $"must be {SigmoidGating}, the sigmoid", $"is {function}");
        }
    }

    // The number of key-value heads is 0 in the layers that have none because they keep a state instead.
    private LayerKind[] ReadKinds(int layerCount) =>
    [
        .. _metadata.IntegerList(GgufModel.Key(KeyValueHeadsKey), layerCount)
            .Select(heads => heads == 0 ? LayerKind.KimiDelta : LayerKind.Latent),
    ];

    private bool[] ReadSparse(int layerCount, bool hasExperts)
    {
        int firstSparse = OptionalInteger("leading_dense_block_count", 0, int.MaxValue) ?? 0;
        return [.. Enumerable.Range(0, layerCount).Select(layer => hasExperts && layer >= firstSparse)];
    }

    private int VocabularyRows() => _shapes.TryGetValue(GgufNames.TokenEmbedding, out Shape? shape)
        && shape.Rank == 2
        && shape[0] is >= 1 and <= MaxVocabulary
            ? (int)shape[0]
            : throw _metadata.Missing(GgufModel.Key("vocab_size"));

    // No key tells it.
    private int? ReadDeltaHeadCount(LayerKind[] kinds, int headDim)
    {
        int layer = Array.IndexOf(kinds, LayerKind.KimiDelta);
        return layer >= 0
            && _shapes.TryGetValue(GgufNames.InLayer(layer, GgufNames.DecayBias), out Shape? shape)
            && shape.ElementCount / headDim is >= 1 and <= MaxCount and long count
                ? (int)count
                : null;
    }

    // Converters disagree on what the keys mean: rope.dimension_count may be a leftover, and so may attention.key_length.
    private int ReadSharedKeyDim(LayerKind[] kinds, int rank)
    {
        int layer = Array.IndexOf(kinds, LayerKind.Latent);
        return layer >= 0
            && _shapes.TryGetValue(GgufNames.InLayer(layer, GgufNames.KeyValueDown), out Shape? shape)
            && shape.Rank == 2
            && shape[0] - rank is >= 1 and <= MaxDim and long dim
                ? (int)dim
                : Integer("rope.dimension_count", MaxDim);
    }

    private int ReadOwnKeyDim(int sharedKeyDim)
    {
        int length = Integer(KeyLengthKey, MaxDim);
        return length > sharedKeyDim
            ? length - sharedKeyDim
            : throw _metadata.Refuse(
                GgufModel.Key(KeyLengthKey), $"must be above {sharedKeyDim}, the part that all heads share", $"is {length}");
    }

    private int[] ReadEndTokens(int vocabularySize) =>
    [
        .. EndTokenKeys.Select(key => TokenId(key, vocabularySize)).OfType<int>().Distinct(),
    ];

    private int? TokenId(string key, int vocabularySize) =>
        _metadata.OptionalInteger(key, 0, uint.MaxValue) is long id && id < vocabularySize ? (int)id : null;

    private string? ReadFileType() => _metadata.OptionalInteger("general.file_type", 0, uint.MaxValue) switch
    {
        0 => "F32",
        1 => "F16",
        2 => "Q4_0",
        3 => "Q4_1",
        7 => "Q8_0",
        8 => "Q5_0",
        9 => "Q5_1",
        14 => "Q4_K_S",
        15 => "Q4_K_M",
        16 => "Q5_K_S",
        17 => "Q5_K_M",
        18 => "Q6_K",
        32 => "BF16",
        _ => null,
    };

    private int Integer(string name, int max) => _metadata.Integer(GgufModel.Key(name), 1, max);

    private int? OptionalInteger(string name, int min, int max) =>
        (int?)_metadata.OptionalInteger(GgufModel.Key(name), min, max);

    // Some writers say 0 for "no groups".
    private int AtLeastOne(string name) => Math.Max(OptionalInteger(name, 0, MaxCount) ?? 1, 1);

    private float? PositiveSingle(string name) => _metadata.OptionalPositiveSingle(GgufModel.Key(name));
}
