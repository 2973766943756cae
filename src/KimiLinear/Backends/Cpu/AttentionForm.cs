namespace KimiLinear.Backends;

/// <summary>The two ways to compute latent attention.</summary>
internal enum AttentionForm
{
    /// <summary>The up-projections go into queries and outputs; keys and values are the cached rows themselves.</summary>
    Absorbed,

    /// <summary>Keys and values are expanded from the cached rows.</summary>
    Expanded,
}
