using System.Collections.Concurrent;
using System.Globalization;
using KimiLinear.Backends;
using KimiLinear.Caching;
using KimiLinear.Checkpoints;
using KimiLinear.Configuration;
using KimiLinear.Tensors;

namespace KimiLinear.Model;

/// <summary>Looks whether a device computes what the processor computes, by a small model of random weights.</summary>
/// <remarks>
/// A card, driver or compiler that goes wrong would otherwise show as a model that talks nonsense. It takes a fraction of a second
/// for each device and shape of heads, once in a process.
/// </remarks>
internal static class DeviceCheck
{
    // Float32 sums in another order differ by some 1e-6, products of bfloat16 by some 1e-3; anything wrong by 1.
    private const double Tolerance = 2e-2;

    // Longer than a page of latent rows and a chunk of the delta rule, then steps that are recorded and repeated.
    private const int PromptLength = 70;
    private const int DecodedTokens = 3;

    private const int VocabularySize = 64;
    private const int HiddenDim = 64;
    private const int ExpertCount = 4;
    private const int HeadCount = 2;
    private const int Seed = 1;

    // So large that every operator changes the result much.
    private const float MatrixDeviation = 0.2f;

    private static readonly ConcurrentDictionary<(string Device, int, int, int, int, int, int), bool> Passed = [];

    /// <summary>Computes on the device, unless that has been done before, and compares.</summary>
    /// <param name="device">The device's name.</param>
    /// <param name="config">The model that shall run there; the small one has heads like it.</param>
    /// <param name="create">Makes a backend on the device.</param>
    /// <exception cref="DeviceUnavailableException">The device computes something else.</exception>
    public static void Require(string device, KimiLinearConfig config, Func<KimiLinearConfig, ComputeBackend> create)
    {
        var key = (device, config.DeltaHeadDim, config.ConvolutionWidth, config.LatentRank, config.QkNopeHeadDim,
            config.QkRopeHeadDim, config.LatentValueDim);
        if (Passed.ContainsKey(key))
        {
            return;
        }

        KimiLinearConfig small = Shrink(config);
        float[] expected = Compute(small, static shape => new ReferenceBackend(shape));
        float[] actual = Compute(small, create);
        double error = RelativeError(actual, expected);
        if (!(error <= Tolerance))
        {
            throw new DeviceUnavailableException(string.Create(
                CultureInfo.InvariantCulture,
                $"{device} computes something else than the processor: the logits of a small model differ by {error:P1}. "
                + $"Update NVIDIA's driver, or choose another device; torch:cuda uses other kernels. Please report it."));
        }

        Passed[key] = true;
    }

    // All experts take part, so that no choice hangs by a rounding error.
    private static KimiLinearConfig Shrink(KimiLinearConfig config) => config with
    {
        VocabularySize = VocabularySize,
        HiddenDim = HiddenDim,
        DenseDim = HiddenDim,
        LayerKinds = [LayerKind.KimiDelta, LayerKind.KimiDelta, LayerKind.Latent],
        SparseLayers = [false, true, true],
        DeltaHeadCount = HeadCount,
        LatentHeadCount = HeadCount,
        ExpertCount = ExpertCount,
        ActiveExpertCount = ExpertCount,
        SharedExpertCount = 1,
        ExpertDim = HiddenDim / 2,
        ExpertGroupCount = 1,
        ActiveExpertGroupCount = 1,
        MaxContextTokens = 2 * PromptLength,
        TieWordEmbeddings = false,
    };

    private static float[] Compute(KimiLinearConfig config, Func<KimiLinearConfig, ComputeBackend> create)
    {
        RandomWeights weights = new(config, WeightFormat.BFloat16, Seed) { MatrixDeviation = MatrixDeviation };
        Checkpoint checkpoint = weights.Create(1, null, CancellationToken.None);
        ComputeBackend? backend = null;
        try
        {
            backend = create(config);
            Network network = new WeightBinder(checkpoint, backend, progress: null, CancellationToken.None).Bind();
            DeviceChoice device = new(backend, DeviceChoice.Named);
            using KimiLinearModel model = new(RandomWeights.Name, checkpoint, device, network, LatentPrecision.Float32);
            return Run(model);
        }
        catch
        {
            backend?.Dispose();
            checkpoint.Dispose();
            throw;
        }
    }

    private static float[] Run(KimiLinearModel model)
    {
        float[] logits = new float[(PromptLength + DecodedTokens) * VocabularySize];
        using SequenceState sequence = model.CreateSequence();
        int[] prompt = [.. Enumerable.Range(0, PromptLength).Select(i => i * 37 % VocabularySize)];
        model.ForwardEveryToken(sequence, prompt, logits.AsSpan(0, PromptLength * VocabularySize));
        for (int i = 0; i < DecodedTokens; i++)
        {
            model.Forward(sequence, [i], logits.AsSpan((PromptLength + i) * VocabularySize, VocabularySize));
        }

        return logits;
    }

    private static double RelativeError(float[] actual, float[] expected)
    {
        double difference = 0;
        double sum = 0;
        for (int i = 0; i < expected.Length; i++)
        {
            difference += Math.Pow(actual[i] - expected[i], 2);
            sum += Math.Pow(expected[i], 2);
        }

        return Math.Sqrt(difference / sum);
    }
}
