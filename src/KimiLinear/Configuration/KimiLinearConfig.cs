namespace KimiLinear.Configuration;

/// <summary>The dimensions and switches of one Kimi-Linear model, as its <c>config.json</c> states them.</summary>
/// <remarks>
/// Layer indices are zero-based here, whatever the file counts from. Immutable and safe to share between threads.
/// Every value is validated when it is read: what <see cref="Load"/> and <see cref="Parse"/> return can be run. One made by hand
/// is not checked.
/// </remarks>
public sealed record KimiLinearConfig
{
    /// <summary>Gets the number of rows of the embedding and of the head (<c>vocab_size</c>, N).</summary>
    public required int VocabularySize { get; init; }

    /// <summary>Gets the width of the residual stream (<c>hidden_size</c>, D).</summary>
    public required int HiddenDim { get; init; }

    /// <summary>Gets the width of the dense feed-forward layers (<c>intermediate_size</c>).</summary>
    public required int DenseDim { get; init; }

    /// <summary>Gets the attention kind of every layer, first layer first.</summary>
    public required IReadOnlyList<LayerKind> LayerKinds { get; init; }

    /// <summary>Gets, for every layer, whether its feed-forward part is a sparse mixture of experts.</summary>
    public required IReadOnlyList<bool> SparseLayers { get; init; }

    /// <summary>Gets the epsilon of every RMS normalisation (<c>rms_norm_eps</c>).</summary>
    public required float RmsNormEpsilon { get; init; }

    /// <summary>Gets the number of Kimi Delta Attention heads (<c>linear_attn_config.num_heads</c>).</summary>
    public required int DeltaHeadCount { get; init; }

    /// <summary>
    /// Gets the key and value width of a Kimi Delta Attention head (<c>linear_attn_config.head_dim</c>, K = V).
    /// </summary>
    public required int DeltaHeadDim { get; init; }

    /// <summary>
    /// Gets the number of taps of the short convolutions (<c>linear_attn_config.short_conv_kernel_size</c>, W).
    /// </summary>
    public required int ConvolutionWidth { get; init; }

    /// <summary>Gets the number of latent attention heads (<c>num_attention_heads</c>).</summary>
    public required int LatentHeadCount { get; init; }

    /// <summary>Gets the width of the compressed key-value row (<c>kv_lora_rank</c>, R).</summary>
    public required int LatentRank { get; init; }

    /// <summary>Gets the per-head key width that comes from the latent row (<c>qk_nope_head_dim</c>).</summary>
    public required int QkNopeHeadDim { get; init; }

    /// <summary>
    /// Gets the key width shared by all heads (<c>qk_rope_head_dim</c>, P); it keeps its name though nothing is rotated.
    /// </summary>
    public required int QkRopeHeadDim { get; init; }

    /// <summary>Gets the value width of a latent attention head (<c>v_head_dim</c>).</summary>
    public required int LatentValueDim { get; init; }

    /// <summary>Gets the number of routed experts per sparse layer (<c>num_experts</c>, E); 0 when the model has none.</summary>
    public required int ExpertCount { get; init; }

    /// <summary>Gets the number of routed experts a token visits (<c>num_experts_per_token</c>, A).</summary>
    public required int ActiveExpertCount { get; init; }

    /// <summary>
    /// Gets the number of experts every token visits (<c>num_shared_experts</c>); they are stored as one wider expert.
    /// </summary>
    public required int SharedExpertCount { get; init; }

    /// <summary>Gets the width of one expert (<c>moe_intermediate_size</c>, F).</summary>
    public required int ExpertDim { get; init; }

    /// <summary>
    /// Gets the number of groups the experts are divided into for selection (<c>num_expert_group</c>); 1 means no groups.
    /// </summary>
    public required int ExpertGroupCount { get; init; }

    /// <summary>Gets the number of groups kept by the selection (<c>topk_group</c>).</summary>
    public required int ActiveExpertGroupCount { get; init; }

    /// <summary>
    /// Gets a value indicating whether the weights of the chosen experts are scaled to sum to one (<c>moe_renormalize</c>).
    /// </summary>
    public required bool NormalizeRouterWeights { get; init; }

    /// <summary>Gets the factor on the routed experts' weights (<c>routed_scaling_factor</c>).</summary>
    public required float RoutedScalingFactor { get; init; }

    /// <summary>Gets the longest context the model accepts, in tokens (<c>model_max_length</c>).</summary>
    public required int MaxContextTokens { get; init; }

    /// <summary>
    /// Gets the ids that end a reply (<c>eos_token_id</c>, a number or a list); empty when the file names none.
    /// </summary>
    public required IReadOnlyList<int> EosTokenIds { get; init; }

    /// <summary>Gets the id that may begin a text (<c>bos_token_id</c>); never added by itself.</summary>
    public int? BosTokenId { get; init; }

    /// <summary>Gets the padding id (<c>pad_token_id</c>).</summary>
    public int? PadTokenId { get; init; }

    /// <summary>Gets the data type the file states for most weights (<c>dtype</c> or <c>torch_dtype</c>), for display.</summary>
    public string? StatedDataType { get; init; }

    /// <summary>Gets a value indicating whether the head shares the embedding's weights (<c>tie_word_embeddings</c>).</summary>
    public bool TieWordEmbeddings { get; init; }

    /// <summary>Gets the number of decoder layers.</summary>
    public int LayerCount => LayerKinds.Count;

    /// <summary>Gets the number of Kimi Delta Attention layers.</summary>
    public int DeltaLayerCount => LayerKinds.Count(kind => kind == LayerKind.KimiDelta);

    /// <summary>Gets the number of latent attention layers.</summary>
    public int LatentLayerCount => LayerKinds.Count(kind => kind == LayerKind.Latent);

    /// <summary>Gets the width of all Kimi Delta Attention heads together (H × K).</summary>
    public int DeltaDim => DeltaHeadCount * DeltaHeadDim;

    /// <summary>Gets the number of values one token leaves in a latent layer's cache (R + P).</summary>
    public int LatentCacheDim => LatentRank + QkRopeHeadDim;

    /// <summary>Gets the query and key width of a latent attention head.</summary>
    public int QkHeadDim => QkNopeHeadDim + QkRopeHeadDim;

    /// <summary>Gets the width of the shared experts together (F × their count).</summary>
    public int SharedExpertDim => ExpertDim * SharedExpertCount;

    /// <summary>Reads and validates a model's <c>config.json</c>.</summary>
    /// <param name="path">The folder of the model, or the file itself.</param>
    /// <returns>The configuration of a model that this library can run.</returns>
    /// <exception cref="FileNotFoundException">
    /// There is no such file or folder, or the folder has no <c>config.json</c>.
    /// </exception>
    /// <exception cref="ModelConfigurationException">
    /// The file is damaged, or describes a model that cannot be run; the message names the key and the value.
    /// </exception>
    public static KimiLinearConfig Load(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (path.EndsWith(".gguf", StringComparison.OrdinalIgnoreCase))
        {
            throw new ModelConfigurationException(
                $"'{path}' is a GGUF file, not a config.json. KimiLinearModel.LoadConfig reads both.", path);
        }

        string filePath = Directory.Exists(path) ? Path.Combine(path, KimiLinearConfigReader.FileName) : path;
        return File.Exists(filePath)
            ? Parse(File.ReadAllBytes(filePath), filePath)
            : throw new FileNotFoundException(
                $"The model's configuration was looked for at '{filePath}', but there is no such file.", filePath);
    }

    /// <summary>Reads and validates the text of a <c>config.json</c>.</summary>
    /// <param name="utf8Json">The bytes of the file.</param>
    /// <param name="filePath">Where they come from, for messages.</param>
    /// <returns>The configuration of a model that this library can run.</returns>
    /// <exception cref="ModelConfigurationException">
    /// The text is damaged, or describes a model that cannot be run; the message names the key and the value.
    /// </exception>
    public static KimiLinearConfig Parse(ReadOnlySpan<byte> utf8Json, string? filePath = null) =>
        new KimiLinearConfigReader(ConfigurationObject.Parse(utf8Json, filePath), filePath).Read();
}
