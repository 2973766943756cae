using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using KimiLinear.Backends;
using KimiLinear.Checkpoints;
using KimiLinear.Configuration;
using KimiLinear.Kernels.Tests;
using KimiLinear.Model;
using KimiLinear.Tensors;

namespace GpuSelfTest;

/// <summary>Runs the stages, a line for each; none stops the next.</summary>
internal sealed class SelfTest(int deviceIndex, string[] kinds, CancellationToken cancellationToken)
{
    private static readonly JsonSerializerOptions JsonOptions = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    private readonly List<StageResult> _results = [];

    /// <summary>Runs what was asked for. Returns whether everything passed.</summary>
    public bool Run(string? jsonPath)
    {
        Run("device", DescribeDevice);
        if (_results[0].Passed)
        {
            if (kinds.Contains("kernels"))
            {
                // Making a context takes long: each test opens the GPU and shares this one.
                TestDevice.Index = deviceIndex;
                using CudaDevice held = CudaBackends.Open(deviceIndex);
                KernelChecks.Run(Run);
            }

            if (kinds.Contains("models"))
            {
                new ModelChecks(deviceIndex).Run(Run);
            }

            if (kinds.Contains("timings"))
            {
                new Timings(TimingPlan.Full, MakeRandom, cancellationToken).Run(Run);
            }
        }

        bool passed = _results.TrueForAll(result => result.Passed);
        string json = JsonSerializer.Serialize(new { passed, Samples.Seed, stages = _results }, JsonOptions);
        if (jsonPath is not null)
        {
            File.WriteAllText(jsonPath, json);
        }

        Console.WriteLine(json);
        return passed;
    }

    private void Run(string name, Func<Figures, string> stage)
    {
        if (cancellationToken.IsCancellationRequested)
        {
            return;
        }

        long start = Stopwatch.GetTimestamp();
        Figures figures = new();
        bool passed = false;
        string detail;
        try
        {
            detail = stage(figures);
            passed = true;
        }
#pragma warning disable CA1031 // Whatever goes wrong is what the stage has to say; the next one shall run all the same.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            detail = $"{exception.GetType().Name}: {exception.Message}".ReplaceLineEndings(" ");
        }

        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        _results.Add(new StageResult(name, passed, detail, seconds, figures.Values));
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"{(passed ? "ok    " : "FAILED")} {name,-44} {seconds,7:F1} s  {detail}"));
    }

    private KimiLinearModel MakeRandom(KimiLinearConfig config) => KimiLinearModel.CreateRandom(
        config,
        WeightFormat.BFloat16,
        new ModelLoadOptions { Device = ComputeDevice.Cuda(deviceIndex), LatentCache = LatentPrecision.BFloat16 },
        cancellationToken: cancellationToken);

    private string DescribeDevice(Figures figures)
    {
        using CudaDevice device = CudaBackends.Open(deviceIndex);
        (long free, long total) = device.Memory;
        figures.Add("multiprocessors", device.MultiprocessorCount);
        figures.Add("memory_bytes", total);
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{device.Name}, compute capability {device.Major}.{device.Minor}, {device.MultiprocessorCount} multiprocessors, "
            + $"{free / 1e9:F1} of {total / 1e9:F1} GB free, CUDA {device.Driver.Version / 1000}.{device.Driver.Version % 1000 / 10}, "
            + $"kernels for {device.Architecture}");
    }
}
