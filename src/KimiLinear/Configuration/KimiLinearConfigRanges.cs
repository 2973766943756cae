using System.Globalization;

namespace KimiLinear.Configuration;

/// <summary>The range of every single value, whether a file states it or a caller.</summary>
internal static class KimiLinearConfigRanges
{
    // Far above any published model (163,840 rows, width 9,216, 93 layers, 896 experts), and low enough that
    // products of two of them are sane sizes: a value beyond is a damaged file, not a model.
    public const int MaxVocabulary = 1 << 24;
    public const int MaxDim = 1 << 20;
    public const int MaxLayers = 1 << 12;
    public const int MaxCount = 1 << 16;
    public const int MaxConvolutionWidth = 64;

    /// <summary>Refuses a configuration made by hand that cannot be run.</summary>
    /// <exception cref="ArgumentException">A value lies outside its range, or the lists of layers do not fit.</exception>
    /// <exception cref="ModelConfigurationException">The values do not fit together.</exception>
    public static void Check(KimiLinearConfig config)
    {
        CheckLayers(config);
        Require(config.VocabularySize, 1, MaxVocabulary, nameof(config.VocabularySize));
        Require(config.HiddenDim, 1, MaxDim, nameof(config.HiddenDim));
        Require(config.DenseDim, 1, MaxDim, nameof(config.DenseDim));
        Require(config.DeltaHeadCount, 1, MaxCount, nameof(config.DeltaHeadCount));
        Require(config.DeltaHeadDim, 1, MaxDim, nameof(config.DeltaHeadDim));
        Require(config.ConvolutionWidth, 1, MaxConvolutionWidth, nameof(config.ConvolutionWidth));
        Require(config.LatentHeadCount, 1, MaxCount, nameof(config.LatentHeadCount));
        Require(config.LatentRank, 1, MaxDim, nameof(config.LatentRank));
        Require(config.QkNopeHeadDim, 1, MaxDim, nameof(config.QkNopeHeadDim));
        Require(config.QkRopeHeadDim, 1, MaxDim, nameof(config.QkRopeHeadDim));
        Require(config.LatentValueDim, 1, MaxDim, nameof(config.LatentValueDim));
        Require(config.MaxContextTokens, 1, int.MaxValue, nameof(config.MaxContextTokens));
        bool isSparse = config.SparseLayers.Contains(true);
        Require(config.ExpertCount, isSparse ? 1 : 0, MaxCount, nameof(config.ExpertCount));
        if (config.ExpertCount > 0)
        {
            Require(config.ActiveExpertCount, 1, MaxCount, nameof(config.ActiveExpertCount));
            Require(config.SharedExpertCount, 0, MaxCount, nameof(config.SharedExpertCount));
            Require(config.ExpertDim, 1, MaxDim, nameof(config.ExpertDim));
            Require(config.ExpertGroupCount, 1, MaxCount, nameof(config.ExpertGroupCount));
            Require(config.ActiveExpertGroupCount, 1, MaxCount, nameof(config.ActiveExpertGroupCount));
        }

        KimiLinearConfigRules.Check(config, filePath: null);
    }

    private static void CheckLayers(KimiLinearConfig config)
    {
        ArgumentNullException.ThrowIfNull(config.LayerKinds, nameof(config.LayerKinds));
        ArgumentNullException.ThrowIfNull(config.SparseLayers, nameof(config.SparseLayers));
        Require(config.LayerKinds.Count, 1, MaxLayers, nameof(config.LayerCount));
        if (config.SparseLayers.Count != config.LayerKinds.Count)
        {
            throw new ArgumentException(
                $"SparseLayers must have one entry for each of the {config.LayerKinds.Count} layers, "
                + $"but has {config.SparseLayers.Count}.",
                nameof(config));
        }
    }

    private static void Require(int value, int min, int max, string name)
    {
        if (value < min || value > max)
        {
            throw new ArgumentException(
                string.Create(CultureInfo.InvariantCulture, $"{name} must be between {min} and {max}, but is {value}."), name);
        }
    }
}
