namespace KimiLinear.Tensors;

/// <summary>How the rows that latent attention caches are stored, one row a token and latent layer.</summary>
public enum LatentPrecision
{
    /// <summary>IEEE single precision: 4 bytes a value, exactly what was computed.</summary>
    Float32,

    /// <summary>The upper half of a single: 2 bytes a value, a relative error of at most 0.4 percent each.</summary>
    BFloat16,

    /// <summary>
    /// Integers of 15 bits, with one scale for a row's latent part and one for its shared key: 2 bytes a value, an error of at
    /// most 0.003 percent of the largest value of the part. As small as <see cref="BFloat16"/>, closer, and the fastest.
    /// </summary>
    Int16,
}
