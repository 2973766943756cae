using Kimi.Terminal;
using KimiLinear.Configuration;
using KimiLinear.Model;
using KimiLinear.Tokenization;

namespace Kimi.Inspection;

/// <summary>What is known of a model, for people.</summary>
internal static class ModelReport
{
    public static void Write(CommandTerminal terminal, ModelSummary summary, KimiTokenizer? tokenizer)
    {
        Section("Model", Model(summary));
        Section("Layers", Layers(summary.Config));
        Section("Parameters", Parameters(summary));
        Section("Weights", Weights(summary));
        Section("Memory of one sequence", Memory(summary));
        Section("Tokenizer", Tokenizer(summary.Config, tokenizer));

        void Section(string title, IEnumerable<(string Label, string Value)> rows)
        {
            TextTable table = new();
            foreach ((string label, string value) in rows)
            {
                table.Add(label, value);
            }

            table.WriteTo(terminal, title: title);
        }
    }

    private static IEnumerable<(string Label, string Value)> Model(ModelSummary summary)
    {
        KimiLinearConfig config = summary.Config;
        yield return ("name", summary.Name);
        yield return ("context", $"{config.MaxContextTokens:N0} tokens");
        yield return ("vocabulary", $"{config.VocabularySize:N0} rows");
        yield return ("residual stream", $"{config.HiddenDim:N0} wide");
        yield return ("head", config.TieWordEmbeddings ? "shares the embedding" : "of its own");
        yield return ("stated data type", config.StatedDataType ?? "none");
    }

    private static IEnumerable<(string Label, string Value)> Layers(KimiLinearConfig config)
    {
        int[] dense = [.. Enumerable.Range(0, config.LayerCount).Where(layer => !config.SparseLayers[layer])];
        int sparseCount = config.LayerCount - dense.Length;
        yield return ("order", Order(config));
        yield return ("K, Kimi Delta Attention",
            $"{Layers(config.DeltaLayerCount)}: {config.DeltaHeadCount} heads of {config.DeltaHeadDim}, "
            + $"convolution of {config.ConvolutionWidth} taps");
        yield return ("L, latent attention",
            $"{Layers(config.LatentLayerCount)}: {config.LatentHeadCount} heads, "
            + $"keys of {config.QkNopeHeadDim} + {config.QkRopeHeadDim}, "
            + $"values of {config.LatentValueDim}, rank {config.LatentRank}");
        yield return ("lower case, dense", dense.Length == 0 ? "no layer" : $"{Layers(dense.Length)}: {config.DenseDim:N0} wide");
        yield return ("capital, experts", sparseCount == 0
            ? "no layer"
            : $"{Layers(sparseCount)}: {config.ExpertCount} experts, {config.ActiveExpertCount} per token "
                + $"and {config.SharedExpertCount} shared, {config.ExpertDim:N0} wide");
    }

    private static string Layers(int count) => count == 1 ? "1 layer" : $"{count} layers";

    // One letter per layer, a space after each latent one: kKKL KKKL …
    private static string Order(KimiLinearConfig config) => string.Concat(config.LayerKinds.Select((kind, layer) =>
    {
        string letter = kind == LayerKind.KimiDelta ? "K" : "L";
        string shown = config.SparseLayers[layer] ? letter : letter.ToLowerInvariant();
        return kind == LayerKind.Latent ? $"{shown} " : shown;
    })).TrimEnd();

    private static IEnumerable<(string Label, string Value)> Parameters(ModelSummary summary)
    {
        yield return ("total", $"{summary.ParameterCount:N0}");
        yield return ("active per token", $"{summary.ActiveParameterCount:N0}");
        yield return ("… without embedding", $"{summary.ComputedParameterCount:N0}");
        if (summary.SparseLayerCount > 0)
        {
            yield return ("one expert", $"{summary.ExpertParameterCount:N0}");
        }
    }

    private static IEnumerable<(string Label, string Value)> Weights(ModelSummary summary)
    {
        if (!summary.HasWeights)
        {
            yield return ("files", "none: this folder has no weights, and all counts are those its config.json calls for");
            yield break;
        }

        yield return ("files", $"{summary.WeightFiles.Count}, {Bytes(summary.WeightFileBytes)}");
        yield return ("bits per weight", $"{summary.BitsPerWeight:0.##}");
        foreach (StoredDataType type in summary.StoredDataTypes)
        {
            yield return (ModelFacts.Name(type),
                $"{type.TensorCount:N0} tensors, {type.ValueCount:N0} values, {Bytes(type.ByteCount)}, "
                + $"{type.BitsPerValue:0.##} bits each");
        }
    }

    private static IEnumerable<(string Label, string Value)> Memory(ModelSummary summary)
    {
        KimiLinearConfig config = summary.Config;
        foreach (int tokens in ModelFacts.ContextLengths)
        {
            string beyond = tokens > config.MaxContextTokens ? "; longer than the model's context" : "";
            yield return ($"{tokens:N0} tokens", $"{Bytes(summary.SequenceBytes(tokens))}{beyond}");
        }

        yield return ("fixed",
            $"{Bytes(summary.FixedSequenceBytes)} = {config.DeltaLayerCount} K layers × "
            + $"({config.DeltaHeadCount}·{config.DeltaHeadDim}·{config.DeltaHeadDim} state + "
            + $"{config.ConvolutionWidth - 1}·3·{config.DeltaDim} convolution inputs) × 4 bytes");
        yield return ("per token",
            $"{Bytes(summary.SequenceBytesPerToken)} = {config.LatentLayerCount} L layers × "
            + $"{Bytes(summary.SequenceBytesPerToken / Math.Max(config.LatentLayerCount, 1))} for {config.LatentCacheDim} values, "
            + $"in pages of {summary.TokensPerPage} tokens");
    }

    private static IEnumerable<(string Label, string Value)> Tokenizer(KimiLinearConfig config, KimiTokenizer? tokenizer)
    {
        if (tokenizer is null)
        {
            yield return ("files", "none: this folder has no tiktoken.model");
            yield break;
        }

        yield return ("ordinary tokens", $"{tokenizer.BaseVocabularySize:N0}");
        yield return ("special tokens", tokenizer.SpecialTokens.Count == 0
            ? "none"
            : $"{tokenizer.SpecialTokens.Count:N0}, from {tokenizer.BaseVocabularySize} to {tokenizer.VocabularySize - 1}");
        yield return ("named", string.Join(", ", ModelFacts.NamedTokens(tokenizer).Select(token => $"{token.Name} {token.Id}")));
        yield return ("ends a reply", config.EosTokenIds.Count == 0 ? "none is stated" : string.Join(", ", config.EosTokenIds));
        if (tokenizer.VocabularySize != config.VocabularySize)
        {
            yield return ("note",
                $"the tokenizer has {tokenizer.VocabularySize:N0} tokens, the model {config.VocabularySize:N0} rows");
        }
    }

    private static string Bytes(long count) =>
        count < 1000 ? $"{count} bytes" : $"{ByteText.Of(count)} ({count:N0} bytes)";
}
