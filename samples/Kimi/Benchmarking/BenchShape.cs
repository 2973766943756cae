using KimiLinear.Configuration;

namespace Kimi.Benchmarking;

/// <summary>Shapes of models to measure without their weights.</summary>
internal static class BenchShape
{
    /// <summary>The shapes by name.</summary>
    public static readonly string[] Names = ["48b", "35b", "tiny"];

    // Three Kimi Delta layers to one of latent attention.
    private const int LayersPerLatent = 4;

    // The model whose experts were pruned from 256.
    private const int PrunedExpertCount = 180;

    /// <summary>The configuration of a shape, perhaps with other counts of experts and layers.</summary>
    public static KimiLinearConfig Config(string name, int? expertCount, int? layerCount)
    {
        KimiLinearConfig config = name switch
        {
            "48b" => Published,
            "35b" => Published with { ExpertCount = PrunedExpertCount },
            _ => Tiny,
        };
        int layers = layerCount ?? config.LayerCount;
        return config with
        {
            ExpertCount = expertCount ?? config.ExpertCount,
            LayerKinds = Kinds(layers),
            SparseLayers = Sparse(layers),
        };
    }

    // Kimi-Linear-48B-A3B.
    private static KimiLinearConfig Published { get; } = new()
    {
        VocabularySize = 163_840,
        HiddenDim = 2304,
        DenseDim = 9216,
        LayerKinds = Kinds(27),
        SparseLayers = Sparse(27),
        RmsNormEpsilon = 1e-5f,
        DeltaHeadCount = 32,
        DeltaHeadDim = 128,
        ConvolutionWidth = 4,
        LatentHeadCount = 32,
        LatentRank = 512,
        QkNopeHeadDim = 128,
        QkRopeHeadDim = 64,
        LatentValueDim = 128,
        ExpertCount = 256,
        ActiveExpertCount = 8,
        SharedExpertCount = 1,
        ExpertDim = 1024,
        ExpertGroupCount = 1,
        ActiveExpertGroupCount = 1,
        NormalizeRouterWeights = true,
        RoutedScalingFactor = 2.446f,
        MaxContextTokens = 1_048_576,
        EosTokenIds = [163_586],
    };

    // Small enough for a test.
    private static KimiLinearConfig Tiny { get; } = Published with
    {
        VocabularySize = 1536,
        HiddenDim = 128,
        DenseDim = 256,
        LayerKinds = Kinds(4),
        SparseLayers = Sparse(4),
        DeltaHeadCount = 2,
        DeltaHeadDim = 64,
        LatentHeadCount = 4,
        LatentRank = 64,
        QkNopeHeadDim = 32,
        QkRopeHeadDim = 16,
        LatentValueDim = 32,
        ExpertCount = 20,
        ActiveExpertCount = 4,
        ExpertDim = 64,
        EosTokenIds = [1282],
    };

    // Every fourth layer is latent; three that are left over end with one too, as in the published model of 27.
    private static LayerKind[] Kinds(int count) =>
    [
        .. Enumerable.Range(1, count).Select(layer =>
            layer % LayersPerLatent == 0 || (layer == count && count % LayersPerLatent == LayersPerLatent - 1)
                ? LayerKind.Latent
                : LayerKind.KimiDelta),
    ];

    // The first layer is dense.
    private static bool[] Sparse(int count) => [.. Enumerable.Range(0, count).Select(layer => layer > 0)];
}
