namespace KimiLinear.Configuration;

/// <summary>Which attention a decoder layer uses.</summary>
public enum LayerKind
{
    /// <summary>Kimi Delta Attention: linear attention with a state of fixed size.</summary>
    KimiDelta,

    /// <summary>Multi-head latent attention: full attention over one compressed row per token.</summary>
    Latent,
}
