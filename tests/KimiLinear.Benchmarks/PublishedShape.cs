using KimiLinear.Configuration;

namespace KimiLinear.Benchmarks;

/// <summary>The widths of the published 48B model, with one layer of each kind and few experts.</summary>
internal static class PublishedShape
{
    public static KimiLinearConfig Config { get; } = new()
    {
        VocabularySize = 163_840,
        HiddenDim = 2304,
        DenseDim = 9216,
        LayerKinds = [LayerKind.KimiDelta, LayerKind.Latent],
        SparseLayers = [false, true],
        RmsNormEpsilon = 1e-5f,
        DeltaHeadCount = 32,
        DeltaHeadDim = 128,
        ConvolutionWidth = 4,
        LatentHeadCount = 32,
        LatentRank = 512,
        QkNopeHeadDim = 128,
        QkRopeHeadDim = 64,
        LatentValueDim = 128,
        ExpertCount = 8,
        ActiveExpertCount = 8,
        SharedExpertCount = 1,
        ExpertDim = 1024,
        ExpertGroupCount = 1,
        ActiveExpertGroupCount = 1,
        NormalizeRouterWeights = true,
        RoutedScalingFactor = 2.446f,
        MaxContextTokens = 1_048_576,
        EosTokenIds = [],
    };
}
