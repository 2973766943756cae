namespace KimiLinear.Pruning;

/// <summary>Whether experts with outstandingly large outputs are kept whatever their score.</summary>
/// <remarks>
/// Such an expert has a largest absolute output above the 99.5th percentile of all experts of all layers, and above a tenth of the
/// largest (arXiv 2507.23279).
/// </remarks>
public enum SuperExpertProtection
{
    /// <summary>The score alone counts.</summary>
    None,

    /// <summary>Those in the first three quarters of the sparse layers are kept.</summary>
    EarlyLayers,

    /// <summary>Those in any layer are kept.</summary>
    AllLayers,
}
