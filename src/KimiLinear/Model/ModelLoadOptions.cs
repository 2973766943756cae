using KimiLinear.Backends;
using KimiLinear.Checkpoints;
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

    /// <summary>Gets what the model computes on.</summary>
    /// <value>The default is <see cref="ComputeDevice.Auto"/>.</value>
    /// <exception cref="ArgumentNullException">The value is <see langword="null"/>.</exception>
    public ComputeDevice Device
    {
        get;
        init => field = value ?? throw new ArgumentNullException(nameof(Device));
    } = ComputeDevice.Auto;

    /// <summary>Gets the folder of the libtorch to use, for example <c>torch/lib</c> of a Python installation; Linux only.</summary>
    /// <value>
    /// The default, <see langword="null"/>, takes the folder that the environment variable <c>KIMILINEAR_LIBTORCH</c> names, else
    /// the application's own libtorch.
    /// </value>
    public string? LibtorchFolder { get; init; }

    /// <summary>Gets how exactly activations are multiplied with quantised weights.</summary>
    /// <value>The default is <see cref="ActivationPrecision.Auto"/>.</value>
    public ActivationPrecision Activations { get; init; }

    /// <summary>Gets whether loading reads all weights through once.</summary>
    /// <value>The default is <see cref="WeightPreload.Auto"/>.</value>
    public WeightPreload Preload { get; init; } = WeightPreload.Auto;

    /// <summary>
    /// Gets the format that weights are converted to while they are loaded; the result lies in memory, not in the mapped files.
    /// </summary>
    /// <value>
    /// The default is <see cref="WeightFormat.Source"/>, which converts nothing. Packing takes some minutes for a model of 48
    /// billion parameters; a packed copy on disk spares that, see <see cref="ModelPacker"/>.
    /// </value>
    /// <exception cref="ArgumentOutOfRangeException">The value is none of the formats.</exception>
    public WeightFormat Format
    {
        get;
        init => field = Enum.IsDefined(value)
            ? value
            : throw new ArgumentOutOfRangeException(nameof(Format), value, "This is none of the weight formats.");
    } = WeightFormat.Source;

    /// <summary>Gets the precision in which the cached rows of latent attention are stored, the part that grows with a sequence.</summary>
    /// <value>
    /// The default, <see langword="null"/>, is <see cref="LatentPrecision.Int16"/> for models with quantised weights, unless
    /// <see cref="Activations"/> asks for float32, and <see cref="LatentPrecision.Float32"/> for others, which takes twice as much. On torch it is always the latter.
    /// </value>
    /// <exception cref="ArgumentOutOfRangeException">The value is none of the enumeration's.</exception>
    public LatentPrecision? LatentCache
    {
        get;
        init => field = value is null || Enum.IsDefined(value.Value)
            ? value
            : throw new ArgumentOutOfRangeException(nameof(LatentCache), value, "This is none of the precisions.");
    }

    /// <summary>The precision of the latent cache for a backend that computes with quantised weights as they are, or not.</summary>
    internal LatentPrecision LatentCacheFor(bool usesQuantizedWeights) => LatentCache
        ?? (usesQuantizedWeights && Activations != ActivationPrecision.Float32 ? LatentPrecision.Int16 : LatentPrecision.Float32);
}
