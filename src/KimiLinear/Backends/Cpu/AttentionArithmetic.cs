namespace KimiLinear.Backends;

/// <summary>What latent attention multiplies.</summary>
internal enum AttentionArithmetic
{
    /// <summary>Single precision.</summary>
    Float32,

    /// <summary>Integers of 12 to 15 bits with scales, summed exactly: about 10⁻⁴ of relative error, and twice as fast.</summary>
    Int16,
}
