using System.Globalization;
using KimiLinear.Backends;
using KimiLinear.Model;
using KimiLinear.Pruning;
using KimiLinear.Tests.Checkpoints;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Tests.Pruning;

/// <summary>How much of the weight file a process has in memory while it observes.</summary>
public sealed class LayerWiseMemoryTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public LayerWiseMemoryTests()
    {
        foreach (string name in (string[])["config.json", "model.safetensors"])
        {
            File.Copy(Path.Combine(Golden.TinyModel, name), _folder.File(name));
        }
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void ObserveLayerWise_SixLayers_HoldsAboutOneOfThem()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Only Linux tells what a mapping holds.");
        CalibrationTokens data = CalibrationTokens.FromSequences([.. Enumerable.Range(0, 8).Select(i => Ids(i, 100))]);
        ModelLoadOptions load = new() { Device = ComputeDevice.Cpu, ThreadCount = 2 };
        ResidentBytes layerWise = new(_folder.File("model.safetensors"));
        ResidentBytes whole = new(_folder.File("model.safetensors"));
        long fileBytes = new FileInfo(_folder.File("model.safetensors")).Length;

        ExpertObserver.ObserveLayerWise(
            _folder.Path, data, new ObservationOptions { ResultPath = _folder.File("OBS.json") }, load, layerWise);
        using (KimiLinearModel model = KimiLinearModel.Load(_folder.Path, load))
        {
            ExpertObserver.Observe(model, data, progress: whole);
        }

        Assert.InRange(whole.Most, 0.8 * fileBytes, fileBytes + 4096);
        Assert.InRange(layerWise.Most, 1, 0.4 * fileBytes);
    }

    private static int[] Ids(int start, int count) => [.. Enumerable.Range(0, count).Select(i => ((start * 97) + (i * 31)) % 1500)];

    /// <summary>The most of a mapped file that was in memory at any report.</summary>
    private sealed class ResidentBytes(string path) : IProgress<ObservationProgress>
    {
        public long Most { get; private set; }

        public void Report(ObservationProgress value)
        {
            long sum = 0;
            bool isOfFile = false;
            foreach (string line in File.ReadLines("/proc/self/smaps"))
            {
                if (char.IsAsciiHexDigitLower(line[0]))
                {
                    isOfFile = line.EndsWith(path, StringComparison.Ordinal);
                }
                else if (isOfFile && line.StartsWith("Rss:", StringComparison.Ordinal))
                {
                    sum += 1024 * long.Parse(line[4..^2].Trim(), CultureInfo.InvariantCulture);
                }
            }

            Most = Math.Max(Most, sum);
        }
    }
}
