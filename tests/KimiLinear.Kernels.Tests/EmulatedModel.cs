using KimiLinear.Backends;
using KimiLinear.Checkpoints;
using KimiLinear.Configuration;
using KimiLinear.Model;
using KimiLinear.Tensors;
using KimiLinear.Tests.Backends.Cuda;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Kernels.Tests;

/// <summary>A golden checkpoint on the CUDA backend, whose kernels run on this processor.</summary>
internal sealed class EmulatedModel : IDisposable
{
    private readonly FakeCudaDriver _fake;
    private readonly List<string> _faults = [];

    public EmulatedModel(
        string modelName,
        bool usesGraphs = true,
        LatentPrecision latents = LatentPrecision.Float32,
        ActivationPrecision activations = ActivationPrecision.Float32)
    {
        _fake = new FakeCudaDriver { Runner = Execute, GuardsMemory = true };
        Model = ModelLoader.Load(
            Golden.Model(modelName),
            new ModelLoadOptions { LatentCache = latents },
            (config, _) => new CudaBackend(config, new CudaDevice(_fake.Open(), 0))
            {
                UsesGraphs = usesGraphs,
                Activations = activations,
            },
            progress: null,
            CancellationToken.None);
    }

    /// <summary>A model of random weights in place of a golden checkpoint.</summary>
    public EmulatedModel(KimiLinearConfig config)
        : this(
            new RandomWeights(config, WeightFormat.BFloat16, seed: 1) { SharesMatrices = true }
                .Create(1, progress: null, CancellationToken.None),
            config,
            LatentPrecision.BFloat16,
            ActivationPrecision.Auto)
    {
    }

    /// <summary>A model of these weights, which it takes over.</summary>
    public EmulatedModel(
        Checkpoint checkpoint, KimiLinearConfig config, LatentPrecision latents, ActivationPrecision activations)
    {
        _fake = new FakeCudaDriver { Runner = Execute, GuardsMemory = true };
        CudaBackend backend = new(config, new CudaDevice(_fake.Open(), 0)) { Activations = activations };
        Network network = new WeightBinder(checkpoint, backend, progress: null, CancellationToken.None).Bind();
        Model = new KimiLinearModel(
            RandomWeights.Name, checkpoint, new DeviceChoice(backend, DeviceChoice.Named), network, latents);
    }

    public KimiLinearModel Model { get; }

    /// <summary>The functions of the driver that were called.</summary>
    public List<string> Calls => _fake.Calls;

    /// <summary>The kernels that ran.</summary>
    public HashSet<string> Kernels { get; } = [];

    public void Dispose()
    {
        Model.Dispose();
        Assert.Empty(_faults);
        Assert.Empty(_fake.Problems);
        Assert.Empty(_fake.Alive);
        _fake.Dispose();
    }

    private int Execute(FakeLaunch launch)
    {
        Kernels.Add(launch.Entry);
        if (Emulator.Run(launch, order: 0) is { } fault)
        {
            _faults.Add(fault);
        }

        return 0;
    }
}
