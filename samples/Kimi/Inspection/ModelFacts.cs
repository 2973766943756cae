using KimiLinear.Configuration;
using KimiLinear.Model;
using KimiLinear.Tokenization;

namespace Kimi.Inspection;

/// <summary>What is known of a model, as the object that <c>inspect --json</c> writes.</summary>
internal static class ModelFacts
{
    private const string GgufPrefix = "gguf";

    public static readonly int[] ContextLengths = [4096, 131_072, 1_048_576];

    public static object Of(ModelSummary summary, KimiTokenizer? tokenizer)
    {
        KimiLinearConfig config = summary.Config;
        return new
        {
            summary.Name,
            Config = Dimensions(config),
            Layers = config.LayerKinds.Select((kind, index) => new
            {
                Index = index,
                Attention = kind == LayerKind.KimiDelta ? "kimi_delta" : "latent",
                FeedForward = config.SparseLayers[index] ? "experts" : "dense",
            }),
            Parameters = new
            {
                Total = summary.ParameterCount,
                ActivePerToken = summary.ActiveParameterCount,
                ActivePerTokenWithoutEmbedding = summary.ComputedParameterCount,
                Embedding = summary.EmbeddingParameterCount,
                OneExpert = summary.ExpertParameterCount,
            },
            Weights = summary.HasWeights ? Weights(summary) : null,
            SequenceMemory = new
            {
                FixedBytes = summary.FixedSequenceBytes,
                BytesPerToken = summary.SequenceBytesPerToken,
                summary.TokensPerPage,
                Examples = ContextLengths.Select(tokens => new { Tokens = tokens, Bytes = summary.SequenceBytes(tokens) }),
            },
            Tokenizer = tokenizer is null ? null : Tokenizer(tokenizer),
        };
    }

    /// <summary>Special tokens with a name of their own, which the unused ones lack.</summary>
    public static IEnumerable<SpecialToken> NamedTokens(KimiTokenizer tokenizer) =>
        tokenizer.SpecialTokens.Where(token => !token.Name.Contains("reserved", StringComparison.Ordinal));

    private static object Dimensions(KimiLinearConfig config) => new
    {
        config.VocabularySize,
        config.HiddenDim,
        config.LayerCount,
        config.DenseDim,
        config.DeltaHeadCount,
        config.DeltaHeadDim,
        config.ConvolutionWidth,
        config.LatentHeadCount,
        config.LatentRank,
        config.QkNopeHeadDim,
        config.QkRopeHeadDim,
        config.LatentValueDim,
        config.ExpertCount,
        config.ActiveExpertCount,
        config.SharedExpertCount,
        config.ExpertDim,
        config.ExpertGroupCount,
        config.ActiveExpertGroupCount,
        config.NormalizeRouterWeights,
        config.RoutedScalingFactor,
        config.RmsNormEpsilon,
        config.MaxContextTokens,
        config.EosTokenIds,
        config.BosTokenId,
        config.PadTokenId,
        config.StatedDataType,
        config.TieWordEmbeddings,
    };

    private static object Weights(ModelSummary summary) => new
    {
        Files = summary.WeightFiles.Select(Path.GetFileName),
        FileBytes = summary.WeightFileBytes,
        BitsPerWeight = Math.Round(summary.BitsPerWeight, 3),
        DataTypes = summary.StoredDataTypes.Select(type => new
        {
            DataType = Name(type),
            Tensors = type.TensorCount,
            Values = type.ValueCount,
            Bytes = type.ByteCount,
            BitsPerValue = Math.Round(type.BitsPerValue, 3),
        }),
    };

    private static object Tokenizer(KimiTokenizer tokenizer) => new
    {
        tokenizer.VocabularySize,
        OrdinaryTokens = tokenizer.BaseVocabularySize,
        SpecialTokens = NamedTokens(tokenizer).Select(token => new { token.Name, token.Id }),
    };

    /// <summary>The usual word for a data type, such as bfloat16 or q4_k.</summary>
    public static string Name(StoredDataType type)
    {
        string name = type.DataType.ToString().ToLowerInvariant();
        return name.StartsWith(GgufPrefix, StringComparison.Ordinal) ? name[GgufPrefix.Length..].Insert(2, "_") : name;
    }
}
