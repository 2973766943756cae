using KimiLinear.Backends;
using KimiLinear.Configuration;
using KimiLinear.Model;
using KimiLinear.Tensors;
using Xunit;

namespace KimiLinear.Tests.TestSupport;

/// <summary>Every way to compute that this process has, by name.</summary>
internal static class Backend
{
    public const string Reference = "Reference";

    /// <summary>The default width, the delta rule always in its chunked form.</summary>
    public const string Chunked = "Chunked";

    /// <summary>The default width, latent attention always absorbed.</summary>
    public const string Absorbed = "Absorbed";

    /// <summary>The default width, latent attention always expanded.</summary>
    public const string Expanded = "Expanded";

    /// <summary>The default width, latent attention in integers: what a user gets unless full precision is asked for.</summary>
    public const string Integers = "Integers";

    /// <summary>The default width, latent attention in integers and always absorbed.</summary>
    public const string AbsorbedIntegers = "AbsorbedIntegers";

    /// <summary>TorchSharp on the CPU with float32 weights.</summary>
    public const string Torch = "Torch";

    /// <summary>The same, latent attention always expanded, head by head and a few queries at a time.</summary>
    public const string ExpandedTorch = "ExpandedTorch";

    /// <summary>When this environment variable is 1, only the default backend is there to be tested.</summary>
    public const string DefaultOnlyVariable = "KIMILINEAR_TESTS_DEFAULT_BACKEND_ONLY";

    // What rounding to integers of 12 to 15 bits may change.
    private const double IntegerTolerance = 2e-4;

    public static IEnumerable<string> Available => Environment.GetEnvironmentVariable(DefaultOnlyVariable) == "1"
        ? [Default]
        : [Reference, .. Widths.Select(width => width.ToString()), Chunked, Absorbed, Expanded, Integers, AbsorbedIntegers, Torch, ExpandedTorch];

    /// <summary>Those that a user can get: fast, threaded, and sparing with memory.</summary>
    public static IEnumerable<string> Production => Available.Where(name => name is not (Reference or Torch or ExpandedTorch));

    /// <summary>Those that keep weights and caches in memory of their own, and compute a row the same in any company.</summary>
    public static IEnumerable<string> Hosted => Available.Where(name => name is not (Torch or ExpandedTorch));

    public static TheoryData<string> HostedNames => new(Hosted);

    public static TheoryData<string> Names => new(Available);

    public static TheoryData<string> ProductionNames => new(Production);

    /// <summary>Whether a backend keeps latent rows in a precision.</summary>
    public static bool Takes(string name, LatentPrecision precision) =>
        precision != LatentPrecision.Int16 || name is not (Torch or ExpandedTorch);

    /// <summary>The default backend of this process.</summary>
    public static string Default => CpuBackends.Widest.ToString();

    private static TorchForms SmallPieces => new() { AbsorbedTokens = 0, ScoreLimit = 4_000, ExpandedLimit = 1 };

    private static IEnumerable<SimdWidth> Widths => Enum.GetValues<SimdWidth>().Where(width => width <= CpuBackends.Widest);

    public static ComputeBackend Create(
        string name,
        KimiLinearConfig config,
        int threadCount,
        ActivationPrecision activations = ActivationPrecision.Auto)
    {
        CpuForms forms = new()
        {
            SharesAllWork = true,
            Activations = activations,
            AttentionArithmetic = AttentionArithmetic.Float32,
        };
        CpuForms integers = forms with { AttentionArithmetic = AttentionArithmetic.Int16 };
        return name switch
        {
            Reference => new ReferenceBackend(config),
            Torch => TorchBackends.OnCpu(config, new TorchForms(), threadCount: 1, libtorchFolder: null),
            ExpandedTorch => TorchBackends.OnCpu(config, SmallPieces, threadCount: 1, libtorchFolder: null),
            Chunked => Widest(forms with { ChunkThresholdTokens = 1 }),
            Absorbed => Widest(forms with { LatentAttention = AttentionForm.Absorbed }),
            Expanded => Widest(forms with { LatentAttention = AttentionForm.Expanded }),
            Integers => Widest(integers),
            AbsorbedIntegers => Widest(integers with { LatentAttention = AttentionForm.Absorbed }),
            _ => CpuBackends.Create(config, threadCount, Enum.Parse<SimdWidth>(name), forms),
        };

        ComputeBackend Widest(CpuForms chosen) => CpuBackends.Create(config, threadCount, CpuBackends.Widest, chosen);
    }

    /// <summary>How close two ways through one backend must come, given how close they come in single precision.</summary>
    public static double Tolerance(string name, double singlePrecision) =>
        name is Integers or AbsorbedIntegers ? IntegerTolerance : singlePrecision;

    // Where arithmetic is in single precision, so are the cached rows.
    private static ModelLoadOptions Options(string name) =>
        new() { LatentCache = name is Integers or AbsorbedIntegers ? LatentPrecision.Int16 : LatentPrecision.Float32 };

    public static KimiLinearModel Load(
        string directory,
        string backend,
        int threadCount = 2,
        ActivationPrecision activations = ActivationPrecision.Auto) => ModelLoader.Load(
            directory, Options(backend), (config, _) => Create(backend, config, threadCount, activations), null, default);
}
