using KimiLinear.Tensors;

namespace KimiLinear.Model;

/// <summary>How a model is loaded and run.</summary>
public sealed record ModelLoadOptions
{
    /// <summary>Gets the number of threads that compute one step, the caller's included; results do not depend on it.</summary>
    /// <value>The default is the number of processors, at most 64.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is below 1 or above 1,024.</exception>
    public int ThreadCount
    {
        get;
        init
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value, 1, nameof(ThreadCount));
            ArgumentOutOfRangeException.ThrowIfGreaterThan(value, 1024, nameof(ThreadCount));
            field = value;
        }
    } = Math.Min(Environment.ProcessorCount, 64);

    /// <summary>Gets whether loading reads all weights through once.</summary>
    /// <value>The default is <see cref="WeightPreload.Auto"/>.</value>
    public WeightPreload Preload { get; init; } = WeightPreload.Auto;

    /// <summary>
    /// Gets the precision in which the cached rows of latent attention are stored, the part of a sequence that grows.
    /// </summary>
    /// <value>
    /// The default is <see cref="LatentPrecision.Int16"/>, to which decoding rounds other rows anyway.
    /// </value>
    /// <exception cref="ArgumentOutOfRangeException">The value is none of the enumeration's.</exception>
    public LatentPrecision LatentCache
    {
        get;
        init
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)value, (uint)LatentPrecision.Int16, nameof(LatentCache));
            field = value;
        }
    } = LatentPrecision.Int16;
}
