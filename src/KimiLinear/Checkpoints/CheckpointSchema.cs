using KimiLinear.Configuration;
using KimiLinear.Tensors;

namespace KimiLinear.Checkpoints;

/// <summary>Which tensors a configuration calls for, and whether a checkpoint has them.</summary>
internal static class CheckpointSchema
{
    // Enough of each kind to see what is going on; one wrong dimension can give thousands of lines.
    private const int MaxListedProblems = 10;

    // Older exporters stored this table. Nothing is rotated here, so it has no use.
    private const string RotaryTableSuffix = "rotary_emb.inv_freq";

    /// <summary>Lists every tensor the model needs, in the order of the forward pass.</summary>
    public static IReadOnlyList<ExpectedTensor> Expected(KimiLinearConfig config)
    {
        List<ExpectedTensor> tensors = [Matrix(WeightNames.TokenEmbedding, config.VocabularySize, config.HiddenDim)];
        for (int layer = 0; layer < config.LayerCount; layer++)
        {
            IEnumerable<ExpectedTensor> attention = config.LayerKinds[layer] == LayerKind.KimiDelta
                ? KimiDelta(config)
                : LatentAttention(config);
            IEnumerable<ExpectedTensor> feedForward = config.SparseLayers[layer] ? SparseMoe(config) : DenseMlp(config);
            IEnumerable<ExpectedTensor> all =
            [
                Vector(WeightNames.InputNorm, config.HiddenDim),
                .. attention,
                Vector(WeightNames.FeedForwardNorm, config.HiddenDim),
                .. feedForward,
            ];
            tensors.AddRange(all.Select(tensor => tensor with { Name = WeightNames.InLayer(layer, tensor.Name) }));
        }

        tensors.Add(Vector(WeightNames.FinalNorm, config.HiddenDim));
        if (!config.TieWordEmbeddings)
        {
            tensors.Add(Matrix(WeightNames.Head, config.VocabularySize, config.HiddenDim));
        }

        return tensors;
    }

    /// <summary>
    /// Checks that a checkpoint has every tensor the configuration calls for, as it must be, and nothing that would be left out.
    /// </summary>
    /// <exception cref="CheckpointFormatException">It does not; all findings are in the one message.</exception>
    public static void Validate(Checkpoint checkpoint, KimiLinearConfig config)
    {
        IReadOnlyList<ExpectedTensor> expected = Expected(config);
        Dictionary<string, StoredTensor> stored = checkpoint.Tensors.ToDictionary(tensor => tensor.Name);
        List<string> missing = [];
        List<string> misshaped = [];
        List<string> wrongType = [];
        foreach (ExpectedTensor tensor in expected)
        {
            if (checkpoint.UnusableTypes.TryGetValue(tensor.Name, out string? typeName))
            {
                wrongType.Add($"{tensor.Name} is stored as {typeName}");
            }
            else if (!stored.TryGetValue(tensor.Name, out StoredTensor? actual))
            {
                missing.Add($"{tensor.Name} with {tensor.Rule}");
            }
            else
            {
                if (!tensor.Accepts(actual.Shape))
                {
                    misshaped.Add($"{tensor.Name} must have {tensor.Rule}, but has {actual.Shape}");
                }

                if (!IsUsable(actual))
                {
                    wrongType.Add(DescribeType(actual));
                }
            }
        }

        HashSet<string> known = [.. expected.Select(tensor => tensor.Name)];
        string[] unexpected =
        [
            .. stored.Keys.Concat(checkpoint.UnusableTypes.Keys)
                .Where(name => !known.Contains(name) && !IsHarmless(name, config))
                .Order(StringComparer.Ordinal),
        ];
        string findings = Section("missing", missing) + Section("of the wrong shape", misshaped)
            + Section("of a data type other than float32, bfloat16 and float16", wrongType)
            + Section("not part of this model", unexpected);
        if (findings.Length > 0)
        {
            throw new CheckpointFormatException(
                $"The weights in '{checkpoint.ModelPath}' do not fit the model's configuration.{findings}",
                checkpoint.ModelPath);
        }
    }

    private static bool IsUsable(StoredTensor tensor) =>
        tensor.DataType is DataType.Float32 or DataType.BFloat16 or DataType.Float16
        || GgufBlocks.Holds(tensor.DataType)
        || (tensor.DataType == DataType.Float8E4M3 && tensor.Scales is not null)
        || (PackedLayout.IsPacked(tensor.DataType) && PackingRecipe.MayPack(tensor.Name, tensor.Shape));

    private static string DescribeType(StoredTensor tensor)
    {
        string finding = $"{tensor.Name} is stored as {tensor.DataType}";
        return tensor.DataType == DataType.Float8E4M3 && tensor.Shape.Rank == 2
            ? $"{finding} without scales that fit it, {Float8Entries.Rule(tensor)}"
            : tensor.DataType == DataType.Float8E4M3 ? $"{finding}, but only matrices may be stored in 8-bit floats"
            : PackedLayout.IsPacked(tensor.DataType) ? $"{finding}, but is none of the matrices that may be packed"
            : finding;
    }

    private static bool IsHarmless(string name, KimiLinearConfig config) =>
        name.EndsWith(RotaryTableSuffix, StringComparison.Ordinal)

        // A tied head is a second copy of the embedding.
        || (config.TieWordEmbeddings && name == WeightNames.Head)

        // Layers after the last only guess further tokens to speed up decoding; the model itself does not use them.
        || (WeightNames.TryParseLayer(name, out int layer, out _) && layer >= config.LayerCount);

    private static string Section(string what, IReadOnlyList<string> findings) => findings.Count switch
    {
        0 => "",
        1 => $"\n1 tensor is {what}:{new ProblemList(findings, MaxListedProblems)}",
        _ => $"\n{findings.Count} tensors are {what}:{new ProblemList(findings, MaxListedProblems)}",
    };

    private static IEnumerable<ExpectedTensor> KimiDelta(KimiLinearConfig config)
    {
        (int hidden, int joined) = (config.HiddenDim, config.DeltaDim);
        (int heads, int headDim) = (config.DeltaHeadCount, config.DeltaHeadDim);
        return
        [
            Matrix(WeightNames.KimiDelta.Query, joined, hidden),
            Matrix(WeightNames.KimiDelta.Key, joined, hidden),
            Matrix(WeightNames.KimiDelta.Value, joined, hidden),
            Convolution(WeightNames.KimiDelta.QueryConvolution, config),
            Convolution(WeightNames.KimiDelta.KeyConvolution, config),
            Convolution(WeightNames.KimiDelta.ValueConvolution, config),
            new ExpectedTensor(WeightNames.KimiDelta.DecayLog, new Shape(1, 1, heads, 1)) { AnyShapeWithEnoughValues = true },
            Vector(WeightNames.KimiDelta.DecayBias, joined) with { Alternative = new Shape(heads, headDim) },
            Matrix(WeightNames.KimiDelta.DecayGateDown, headDim, hidden),
            Matrix(WeightNames.KimiDelta.DecayGateUp, joined, headDim),
            Matrix(WeightNames.KimiDelta.Beta, heads, hidden),
            Matrix(WeightNames.KimiDelta.OutputGateDown, headDim, hidden),
            Matrix(WeightNames.KimiDelta.OutputGateUp, joined, headDim),
            Vector(WeightNames.KimiDelta.OutputNorm, headDim),
            Matrix(WeightNames.KimiDelta.Output, hidden, joined),
        ];
    }

    private static IEnumerable<ExpectedTensor> LatentAttention(KimiLinearConfig config)
    {
        int heads = config.LatentHeadCount;
        int keyValueDim = config.QkNopeHeadDim + config.LatentValueDim;
        return
        [
            Matrix(WeightNames.LatentAttention.Query, heads * config.QkHeadDim, config.HiddenDim),
            Matrix(WeightNames.LatentAttention.KeyValueDown, config.LatentCacheDim, config.HiddenDim),
            Vector(WeightNames.LatentAttention.LatentNorm, config.LatentRank),
            Matrix(WeightNames.LatentAttention.KeyValueUp, heads * keyValueDim, config.LatentRank),
            Matrix(WeightNames.LatentAttention.Output, config.HiddenDim, heads * config.LatentValueDim),
        ];
    }

    private static IEnumerable<ExpectedTensor> DenseMlp(KimiLinearConfig config) =>
    [
        Matrix(WeightNames.DenseMlp.Gate, config.DenseDim, config.HiddenDim),
        Matrix(WeightNames.DenseMlp.Up, config.DenseDim, config.HiddenDim),
        Matrix(WeightNames.DenseMlp.Down, config.HiddenDim, config.DenseDim),
    ];

    private static IEnumerable<ExpectedTensor> SparseMoe(KimiLinearConfig config)
    {
        yield return Matrix(WeightNames.SparseMoe.Router, config.ExpertCount, config.HiddenDim);
        yield return Vector(WeightNames.SparseMoe.ScoreCorrectionBias, config.ExpertCount);
        for (int expert = 0; expert < config.ExpertCount; expert++)
        {
            yield return Matrix(WeightNames.SparseMoe.ExpertGate(expert), config.ExpertDim, config.HiddenDim);
            yield return Matrix(WeightNames.SparseMoe.ExpertUp(expert), config.ExpertDim, config.HiddenDim);
            yield return Matrix(WeightNames.SparseMoe.ExpertDown(expert), config.HiddenDim, config.ExpertDim);
        }

        if (config.SharedExpertCount > 0)
        {
            yield return Matrix(WeightNames.SparseMoe.SharedGate, config.SharedExpertDim, config.HiddenDim);
            yield return Matrix(WeightNames.SparseMoe.SharedUp, config.SharedExpertDim, config.HiddenDim);
            yield return Matrix(WeightNames.SparseMoe.SharedDown, config.HiddenDim, config.SharedExpertDim);
        }
    }

    private static ExpectedTensor Vector(string name, int length) => new(name, new Shape(length));

    private static ExpectedTensor Matrix(string name, int rows, int columns) => new(name, new Shape(rows, columns));

    private static ExpectedTensor Convolution(string name, KimiLinearConfig config) =>
        new(name, new Shape(config.DeltaDim, 1, config.ConvolutionWidth))
        {
            Alternative = new Shape(config.DeltaDim, config.ConvolutionWidth),
        };
}
