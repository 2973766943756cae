using System.Globalization;
using KimiLinear.Backends;
using KimiLinear.Caching;
using KimiLinear.Model;
using KimiLinear.Tensors;
using KimiLinear.Tests.TestSupport;

namespace GpuSelfTest;

/// <summary>Whole models on the GPU against the golden results, and recorded steps against the same kernels one by one.</summary>
internal sealed class ModelChecks(int deviceIndex)
{
    // Float32 sums in another order.
    private const double Tolerance = 2e-4;

    // What rounding to bfloat16 may change.
    private const double RoundedTolerance = 1e-2;

    public void Run(Action<string, Func<Figures, string>> runStage)
    {
        foreach (string name in Golden.ModelNames)
        {
            runStage($"models: golden {name}", figures => CheckGolden(name, LatentPrecision.Float32, Tolerance, figures));
            runStage($"models: golden {name}, greedy", _ => CheckGreedy(name));
        }

        runStage(
            "models: golden plain, latent rows in bfloat16",
            figures => CheckGolden("plain", LatentPrecision.BFloat16, RoundedTolerance, figures));
        runStage("models: recorded steps and single kernels", _ => CompareGraphs());
        runStage("models: the trained small model", _ => CheckTiny());
        runStage("models: torch on the same GPU", CheckTorch);
    }

    private string CheckGolden(string name, LatentPrecision latents, double tolerance, Figures figures)
    {
        using GoldenExpectation expected = new(name);
        using KimiLinearModel model = Load(name, latents);
        double error = TensorAssert.RelativeRms(model.EveryLogits(expected.InputIds), expected.Logits);
        figures.Add("relative_rms_error", error);
        return error <= tolerance
            ? Invariant($"logits differ by {error:E1}")
            : throw new InvalidOperationException(Invariant($"the logits differ by {error:E1}; at most {tolerance:E0} is right"));
    }

    private string CheckGreedy(string name)
    {
        using GoldenExpectation expected = new(name);
        using KimiLinearModel model = Load(name, LatentPrecision.Float32);
        using SequenceState sequence = model.CreateSequence();
        float[] logits = model.LastLogits(sequence, expected.GreedyFrom24[..24]);
        int[] continuation = model.ContinueGreedily(sequence, logits, expected.GreedyFrom24.Length - 24);
        return continuation.AsSpan().SequenceEqual(expected.GreedyFrom24.AsSpan(24))
            ? $"{continuation.Length} tokens"
            : throw new InvalidOperationException(
                $"wrote {string.Join(' ', continuation)}, but {string.Join(' ', expected.GreedyFrom24[24..])} is right");
    }

    private string CompareGraphs()
    {
        const int Steps = 70;
        float[] recorded = Decode(usesGraphs: true);
        float[] single = Decode(usesGraphs: false);
        TensorAssert.Identical(recorded, single, "logits");
        return $"{Steps} steps of 3 sequences have the same bits";

        float[] Decode(bool usesGraphs)
        {
            using KimiLinearModel model = ModelLoader.Load(
                Golden.Model("plain"),
                new ModelLoadOptions(),
                (config, _) => new CudaBackend(config, CudaBackends.Open(deviceIndex)) { UsesGraphs = usesGraphs },
                progress: null,
                CancellationToken.None);
            SequenceState[] sequences = [.. Enumerable.Range(0, 3).Select(_ => model.CreateSequence())];
            int width = model.Config.VocabularySize;
            float[] all = new float[Steps * sequences.Length * width];
            for (int step = 0; step < Steps; step++)
            {
                BatchEntry[] entries = [.. sequences.Select(
                    (sequence, i) => new BatchEntry(sequence, new[] { (step + (7 * i)) % width }, LogitsRequest.LastToken))];
                model.Forward(entries, all.AsSpan(step * entries.Length * width, entries.Length * width));
            }

            Array.ForEach(sequences, sequence => sequence.Dispose());
            return all;
        }
    }

    // On a bfloat16 checkpoint that was trained: the processor's own tokens are what is right.
    private string CheckTiny()
    {
        const int Count = 60;
        int[] prompt = [.. Enumerable.Range(0, 200).Select(i => 5 + (i * 31 % 700))];
        using KimiLinearModel cpu = KimiLinearModel.Load(Golden.TinyModel, new ModelLoadOptions { Device = ComputeDevice.Cpu });
        using KimiLinearModel gpu = KimiLinearModel.Load(
            Golden.TinyModel, new ModelLoadOptions { Device = ComputeDevice.Cuda(deviceIndex) });
        int[] expected = Continue(cpu);
        int[] actual = Continue(gpu);
        int same = expected.Zip(actual).TakeWhile(pair => pair.First == pair.Second).Count();
        return same == Count
            ? $"{Count} tokens as on the processor"
            : throw new InvalidOperationException($"token {same} behind the prompt is {actual[same]}, on the processor {expected[same]}");

        int[] Continue(KimiLinearModel model)
        {
            using SequenceState sequence = model.CreateSequence();
            return model.ContinueGreedily(sequence, model.LastLogits(sequence, prompt), Count);
        }
    }

    private string CheckTorch(Figures figures)
    {
        try
        {
            TorchBackends.RequireCuda(deviceIndex, libtorchFolder: null);
        }
        catch (DeviceUnavailableException exception)
        {
            return $"not run: {exception.Message}".ReplaceLineEndings(" ");
        }

        using GoldenExpectation expected = new("plain");
        using KimiLinearModel model = KimiLinearModel.Load(
            Golden.Model("plain"), new ModelLoadOptions { Device = ComputeDevice.TorchCuda(deviceIndex) });
        double error = TensorAssert.RelativeRms(model.EveryLogits(expected.InputIds), expected.Logits);
        figures.Add("relative_rms_error", error);
        return error <= Tolerance
            ? Invariant($"logits differ by {error:E1}")
            : throw new InvalidOperationException(Invariant($"the logits differ by {error:E1}; at most {Tolerance:E0} is right"));
    }

    private KimiLinearModel Load(string name, LatentPrecision latents) => KimiLinearModel.Load(
        Golden.Model(name),
        new ModelLoadOptions
        {
            Device = ComputeDevice.Cuda(deviceIndex),
            LatentCache = latents,
            Activations = ActivationPrecision.Float32,
        });

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
