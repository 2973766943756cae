using KimiLinear.Backends;
using KimiLinear.Checkpoints;
using KimiLinear.Configuration;

namespace KimiLinear.Model;

/// <summary>What a model's files hold and what running it takes, without loading it.</summary>
/// <remarks>Read from <c>config.json</c> and the headers of the weight files. Immutable.</remarks>
public sealed class ModelSummary
{
    private readonly CacheLayout _layout;

    private ModelSummary(string name, KimiLinearConfig config, Checkpoint? weights)
    {
        Name = name;
        Config = config;
        ParameterCount = CheckpointSchema.Expected(config).Sum(tensor => tensor.Shape.ElementCount);
        WeightFiles = weights is null ? [] : weights.Files;
        WeightFileBytes = weights?.TotalBytes ?? 0;
        StoredDataTypes = weights is null ? [] : StoredDataType.Of(weights.FileTensors);
        _layout = new CacheLayout(config);
    }

    /// <summary>Gets the model's name: that of its folder, or of its GGUF file.</summary>
    public string Name { get; }

    /// <summary>Gets the model's configuration.</summary>
    public KimiLinearConfig Config { get; }

    /// <summary>Gets the number of parameters the configuration calls for.</summary>
    public long ParameterCount { get; }

    /// <summary>
    /// Gets the number of parameters that take part in one token's pass: all but the routed experts it does not visit. The
    /// whole embedding table counts.
    /// </summary>
    public long ActiveParameterCount =>
        ParameterCount - ((long)SparseLayerCount * (Config.ExpertCount - Config.ActiveExpertCount) * ExpertParameterCount);

    /// <summary>
    /// Gets the number of parameters that one token's pass computes with: as <see cref="ActiveParameterCount"/>, without the
    /// embedding table, from which one row is read. A table that is also the head counts, since the head computes with it.
    /// </summary>
    public long ComputedParameterCount => ActiveParameterCount - (Config.TieWordEmbeddings ? 0 : EmbeddingParameterCount);

    /// <summary>Gets the number of parameters of the embedding table.</summary>
    public long EmbeddingParameterCount => (long)Config.VocabularySize * Config.HiddenDim;

    /// <summary>Gets the number of parameters of one routed expert of one layer.</summary>
    public long ExpertParameterCount => 3L * Config.ExpertDim * Config.HiddenDim;

    /// <summary>Gets the number of layers whose feed-forward part is a sparse mixture of experts.</summary>
    public int SparseLayerCount => Config.SparseLayers.Count(isSparse => isSparse);

    /// <summary>
    /// Gets a value indicating whether there are weights; without them, every count is of the configuration.
    /// </summary>
    public bool HasWeights => WeightFiles.Count > 0;

    /// <summary>Gets the paths of the weight files, in ordinal order; empty when there are none.</summary>
    public IReadOnlyList<string> WeightFiles { get; }

    /// <summary>Gets the size of the weight files together, in bytes; 0 when there are none.</summary>
    public long WeightFileBytes { get; }

    /// <summary>Gets what is stored in each data type, the type with the most bytes first; empty without weights.</summary>
    public IReadOnlyList<StoredDataType> StoredDataTypes { get; }

    /// <summary>Gets the bits one stored value takes on average, scales included; 0 without weights.</summary>
    public double BitsPerWeight => StoredDataTypes.Sum(type => type.ValueCount) is > 0 and long count
        ? 8.0 * StoredDataTypes.Sum(type => type.ByteCount) / count
        : 0;

    /// <summary>Gets the bytes every sequence takes once it has a token, however long it grows.</summary>
    public long FixedSequenceBytes => _layout.SlotLength * sizeof(float);

    /// <summary>
    /// Gets the bytes each token of a sequence takes besides; reserved in steps of <see cref="TokensPerPage"/>.
    /// </summary>
    public long SequenceBytesPerToken => _layout.PageBytes / CacheLayout.PageTokens;

    /// <summary>Gets the number of tokens for which a sequence reserves memory at a time.</summary>
    public int TokensPerPage => CacheLayout.PageTokens;

    /// <summary>Computes the memory one sequence takes.</summary>
    /// <param name="tokenCount">Its length, at least 0 tokens. The model's limit is not checked.</param>
    /// <returns>Bytes, as the CPU keeps it.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="tokenCount"/> is negative.</exception>
    public long SequenceBytes(int tokenCount)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(tokenCount);
        long pageCount = ((long)tokenCount + TokensPerPage - 1) / TokensPerPage;
        return FixedSequenceBytes + (pageCount * TokensPerPage * SequenceBytesPerToken);
    }

    /// <summary>Reads what a model's files hold; the weights themselves are not read, and may be missing altogether.</summary>
    /// <param name="modelPath">The folder that holds <c>config.json</c> and perhaps the weights, or a GGUF file.</param>
    /// <returns>The summary.</returns>
    /// <exception cref="DirectoryNotFoundException">There is no such folder or file.</exception>
    /// <exception cref="FileNotFoundException">The folder has no <c>config.json</c>.</exception>
    /// <exception cref="ModelFormatException">
    /// A file is damaged, the model cannot be run, or the weights do not fit the configuration.
    /// </exception>
    public static ModelSummary Inspect(string modelPath)
    {
        ModelLocation location = ModelLocation.Find(modelPath);
        KimiLinearConfig config = location.LoadConfig();
        if (!location.HasWeights)
        {
            return new ModelSummary(location.Name, config, weights: null);
        }

        using Checkpoint checkpoint = Checkpoint.Open(location);
        CheckpointSchema.Validate(checkpoint, config);
        return new ModelSummary(location.Name, config, checkpoint);
    }
}
