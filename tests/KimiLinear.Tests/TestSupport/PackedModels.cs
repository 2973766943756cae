using System.Collections.Concurrent;
using KimiLinear.Backends;
using KimiLinear.Checkpoints;
using KimiLinear.Configuration;
using KimiLinear.Model;
using KimiLinear.Tensors;
using Xunit;

namespace KimiLinear.Tests.TestSupport;

/// <summary>Small models whose weights are packed, on any backend.</summary>
/// <remarks>Weights are packed once; what their models dispose of does not include them.</remarks>
internal static class PackedModels
{
    /// <summary>The trained small model.</summary>
    public const string Trained = "trained";

    /// <summary>Random weights in matrices of odd numbers of blocks and tiles.</summary>
    public const string Odd = "odd";

    // Packing takes minutes where vector instructions are switched off.
    public static readonly string[] Names =
        Environment.GetEnvironmentVariable(Backend.DefaultOnlyVariable) == "1" ? [Odd] : [Trained, Odd];

    public static readonly WeightFormat[] Formats = [WeightFormat.Q4, WeightFormat.Q8, WeightFormat.Q4Q8];

    private static readonly KimiLinearConfig TrainedConfig = KimiLinearConfig.Load(Golden.TinyModel);

    // Three blocks of columns, one in the experts; two, five, six, seven and ten tiles of rows.
    private static readonly KimiLinearConfig OddConfig = TrainedConfig with
    {
        HiddenDim = 96,
        DenseDim = 160,
        ExpertDim = 32,
        ExpertCount = 7,
        ActiveExpertCount = 3,
        DeltaHeadCount = 3,
        DeltaHeadDim = 32,
        VocabularySize = 112,
    };

    // With it no two experts are so near that rounding to 15 bits chooses between them.
    private const int OddSeed = 6;

    private static readonly ConcurrentDictionary<(string Name, WeightFormat Format), Lazy<Checkpoint>> Weights = [];

    public static TheoryData<string, WeightFormat> Cases => new MatrixTheoryData<string, WeightFormat>(Names, Formats);

    /// <summary>Loads a model on a backend of the caller's choice.</summary>
    public static KimiLinearModel Load(string name, WeightFormat format, Func<KimiLinearConfig, ComputeBackend> createBackend)
    {
        Checkpoint weights = Weights
            .GetOrAdd((name, format), key => new Lazy<Checkpoint>(() => Pack(key.Name, key.Format)))
            .Value;
        var shared = Checkpoint.InMemory(name, weights.Tensors, memory: []);
        ComputeBackend backend = createBackend(name == Trained ? TrainedConfig : OddConfig);
        Network network = new WeightBinder(shared, backend, progress: null, default).Bind();
        return new KimiLinearModel(name, shared, new DeviceChoice(backend, DeviceChoice.Named), network, LatentPrecision.Float32);
    }

    /// <summary>Loads a model on the CPU backend of a width, every job shared by all threads.</summary>
    public static KimiLinearModel Load(
        string name,
        WeightFormat format,
        ActivationPrecision activations = ActivationPrecision.Auto,
        int threadCount = 2,
        SimdWidth? width = null,
        AttentionForm? attention = null)
    {
        CpuForms forms = new() { Activations = activations, SharesAllWork = true, LatentAttention = attention };
        return Load(name, format, config => CpuBackends.Create(config, threadCount, width ?? CpuBackends.Widest, forms));
    }

    /// <summary>Token ids that every model has, the same in every run.</summary>
    public static int[] Ids(int count, int seed = 1)
    {
        Random random = new(seed);
        return [.. Enumerable.Range(0, count).Select(_ => random.Next(OddConfig.VocabularySize))];
    }

    private static Checkpoint Pack(string name, WeightFormat format) => name == Trained
        ? new WeightConversion(Checkpoint.Open(Golden.TinyModel), TrainedConfig, format).Run(1, progress: null, default)
        : new RandomWeights(OddConfig, format, OddSeed).Create(1, progress: null, default);
}
