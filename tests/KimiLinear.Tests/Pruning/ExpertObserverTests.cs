using KimiLinear.Backends;
using KimiLinear.Model;
using KimiLinear.Pruning;
using KimiLinear.Tests.Checkpoints;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Tests.Pruning;

public sealed class ExpertObserverTests
{
    private const double Rounding = 1e-5;

    public static TheoryData<string> Models => new(Golden.ModelNames);

    [Theory]
    [MemberData(nameof(Models))]
    public void ObserveLayerWise_GoldenModels_GivesTheBytesOfTheOrdinaryWay(string name)
    {
        using GoldenExpectation expected = new(name);
        using TemporaryFolder folder = new();
        using KimiLinearModel model = KimiLinearModel.Load(Golden.Model(name), OnCpu());
        CalibrationTokens data = Documents(expected.InputIds, 7, 64, 3, 150, 1);
        ObservationOptions options = new() { StepTokens = 50, SumsOutputs = true };
        string whole = folder.File("whole.json");
        string layerWise = folder.File("layers.json");

        ExpertObserver.Observe(model, data, options with { ResultPath = whole });
        ExpertObserver.ObserveLayerWise(Golden.Model(name), data, options with { ResultPath = layerWise }, OnCpu());

        Assert.Equal(File.ReadAllText(whole), File.ReadAllText(layerWise));
        Assert.Equal([layerWise, whole], Directory.GetFileSystemEntries(folder.Path).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Observe_OtherNumbersOfThreads_GiveTheSameBits()
    {
        CalibrationTokens data = PlainDocuments();
        ObservationOptions options = new() { SumsOutputs = true };
        ExpertStatistics one = Observe("plain", data, options, OnCpu(1));
        ExpertStatistics three = Observe("plain", data, options, OnCpu(3));

        StatisticsAssert.Identical(one, three);
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void Observe_OtherStepsAndCuts_DifferByRounding(string name)
    {
        using GoldenExpectation expected = new(name);
        CalibrationTokens data = Documents(expected.InputIds, 7, 64, 3, 150, 1);
        ExpertStatistics whole = Observe(name, data, new ObservationOptions { StepTokens = 1000, SumsOutputs = true }, OnCpu());

        foreach (int stepTokens in (int[])[1, 17, 64])
        {
            ExpertStatistics cut = Observe(
                name, data, new ObservationOptions { StepTokens = stepTokens, SumsOutputs = true }, OnCpu());

            StatisticsAssert.Close(whole, cut, Rounding);
        }
    }

    /// <summary>One sequence after the other, or all of them at once: the size of a group changes nothing but the rounding.</summary>
    [Fact]
    public void ObserveLayerWise_OtherGroups_DifferByRounding()
    {
        using TemporaryFolder folder = new();
        CalibrationTokens data = CalibrationTokens.FromSequences([[1, 2, 3], [4, 5], [6, 7, 8]]);
        ExpertStatistics whole = Observe("plain", data, new ObservationOptions(), OnCpu());

        foreach (int stepTokens in (int[])[1, 3, 5, 1000])
        {
            ObservationOptions options = new() { StepTokens = stepTokens, ResultPath = folder.File($"{stepTokens}.json") };

            StatisticsAssert.Close(whole, ExpertObserver.ObserveLayerWise(Golden.Model("plain"), data, options, OnCpu()), Rounding);
        }
    }

    /// <summary>A layer without a router is passed through and not observed, and keeps its number; five tokens are five.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Observe_DenseFirstLayer_IsLeftOut(bool layerWise)
    {
        using TemporaryFolder folder = new();
        CalibrationTokens data = CalibrationTokens.FromSequences([[1, 2, 3], [4, 5]]);
        ObservationOptions options = new() { ResultPath = folder.File("OBS.json") };

        ExpertStatistics statistics = layerWise
            ? ExpertObserver.ObserveLayerWise(Golden.Model("grouped"), data, options, OnCpu())
            : Observe("grouped", data, options, OnCpu());

        Assert.Equal([1, 2], statistics.Layers.Select(layer => layer.LayerIndex));
        Assert.All(statistics.Layers, layer => Assert.Equal(5 * 4, layer.TokenCounts.Sum()));
        Assert.Equal(5, statistics.TokenCount);
    }

    [Fact]
    public void Add_ObservationsOfParts_AreThatOfAll()
    {
        CalibrationTokens data = PlainDocuments();
        ObservationOptions options = new() { SumsOutputs = true };
        ExpertStatistics all = Observe("plain", data, options, OnCpu());
        ExpertStatistics sum = Observe("plain", CalibrationTokens.FromSequences([.. data.Sequences.Take(2)]), options, OnCpu());

        sum.Add(Observe("plain", CalibrationTokens.FromSequences([.. data.Sequences.Skip(2)]), options, OnCpu()));

        StatisticsAssert.Close(all, sum, 1e-12);
        Assert.Equal(all.TokenCount, sum.TokenCount);
        Assert.Equal(2, sum.Calibration.Count);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Observe_StoppedAnywhere_GoesOnToTheSameBytes(bool layerWise)
    {
        using TemporaryFolder folder = new();
        CalibrationTokens data = PlainDocuments();
        string undisturbed = folder.File("undisturbed.json");
        Run(undisturbed, int.MaxValue);
        byte[] expected = File.ReadAllBytes(undisturbed);

        // Three steps are what the longest sequence takes, between whose pieces nothing is saved.
        for (int steps = 3; steps < 30; steps += 2)
        {
            string path = folder.File($"stopped-{steps}.json");
            int stops = 0;
            while (!File.Exists(path))
            {
                Assert.True(stops++ < 40, "Every call should come further than the one before.");
                try
                {
                    Run(path, steps);
                }
                catch (OperationCanceledException)
                {
                    Assert.False(File.Exists(path));
                }
            }

            Assert.Equal(expected, File.ReadAllBytes(path));
            Assert.False(Directory.Exists(path + ".partial"));
        }

        void Run(string path, int stepLimit)
        {
            using CancellationTokenSource source = new();
            ObservationOptions options = new()
            {
                StepTokens = 40,
                SumsOutputs = true,
                ResultPath = path,
                SaveInterval = TimeSpan.Zero,
            };
            CountingProgress progress = new(stepLimit, source);
            if (layerWise)
            {
                ExpertObserver.ObserveLayerWise(Golden.Model("plain"), data, options, OnCpu(), progress, source.Token);
            }
            else
            {
                using KimiLinearModel model = KimiLinearModel.Load(Golden.Model("plain"), OnCpu());
                ExpertObserver.Observe(model, data, options, progress, source.Token);
            }
        }
    }

    [Fact]
    public void ObserveLayerWise_OnTorch_IsTheOrdinaryWay()
    {
        using TemporaryFolder folder = new();
        ModelLoadOptions onTorch = new() { Device = ComputeDevice.TorchCpu, ThreadCount = 1 };
        ObservationOptions options = new() { SumsOutputs = true };
        ExpertStatistics whole = Observe("plain", PlainDocuments(), options, onTorch);

        ExpertStatistics layerWise = ExpertObserver.ObserveLayerWise(
            Golden.Model("plain"), PlainDocuments(), options with { ResultPath = folder.File("OBS.json") }, onTorch);

        StatisticsAssert.Close(whole, layerWise, Rounding);
    }

    [Fact]
    public void ObserveLayerWise_FullDisk_IsSaidBeforehand()
    {
        using TemporaryFolder folder = new();
        ObservationOptions options = new() { ResultPath = folder.File("OBS.json"), FreeSpace = _ => 1000 };

        IOException exception = Assert.Throws<IOException>(
            () => ExpertObserver.ObserveLayerWise(Golden.Model("plain"), PlainDocuments(), options, OnCpu()));

        Assert.Contains("needs", exception.Message);
        Assert.False(File.Exists(options.ResultPath));
        ExpertObserver.ObserveLayerWise(Golden.Model("plain"), PlainDocuments(), options with { FreeSpace = _ => long.MaxValue }, OnCpu());
        Assert.Equal([options.ResultPath], Directory.GetFileSystemEntries(folder.Path));
    }

    [Fact]
    public void ObserveLayerWise_ActivationsCutOff_IsRefused()
    {
        using TemporaryFolder folder = new();
        string path = folder.File("OBS.json");
        using CancellationTokenSource source = new();
        ObservationOptions options = new() { StepTokens = 40, ResultPath = path, SaveInterval = TimeSpan.Zero };
        Assert.Throws<OperationCanceledException>(() => ExpertObserver.ObserveLayerWise(
            Golden.Model("plain"), PlainDocuments(), options, OnCpu(), new CountingProgress(12, source), source.Token));
        using (FileStream input = File.OpenWrite(Directory.GetFiles(path + ".partial", "*.activations").Order().First()))
        {
            input.SetLength(input.Length - 1);
        }

        PruningFileException exception = Assert.Throws<PruningFileException>(
            () => ExpertObserver.ObserveLayerWise(Golden.Model("plain"), PlainDocuments(), options, OnCpu()));

        Assert.Contains("Remove its folder and begin anew", exception.Message);
        Assert.False(File.Exists(path));
    }

    [Fact]
    public void Observe_AnotherProcessAtIt_IsRefused()
    {
        using TemporaryFolder folder = new();
        string path = folder.File("OBS.json");
        using ObservationFolder other = ObservationFolder.Open(path, "key");

        IOException exception = Assert.Throws<IOException>(
            () => Observe("plain", PlainDocuments(), new ObservationOptions { ResultPath = path }, OnCpu()));

        Assert.Contains("Another process is observing", exception.Message);
    }

    [Fact]
    public void Observe_FolderOfSomethingElse_IsNotTouched()
    {
        using TemporaryFolder folder = new();
        string path = folder.File("OBS.json");
        Directory.CreateDirectory(path + ".partial");
        File.WriteAllText(Path.Combine(path + ".partial", "mine.txt"), "mine");

        IOException exception = Assert.Throws<IOException>(
            () => Observe("plain", PlainDocuments(), new ObservationOptions { ResultPath = path }, OnCpu()));

        Assert.Contains("holds something else", exception.Message);
        Assert.Equal("mine", File.ReadAllText(Path.Combine(path + ".partial", "mine.txt")));
    }

    /// <summary>What is there with sums of outputs is not taken for what was asked for without, nor the other way round.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Observe_OutputSumsOfAnotherCall_AreAnotherObservation(bool sumsOutputs)
    {
        using TemporaryFolder folder = new();
        ObservationOptions options = new() { SumsOutputs = sumsOutputs, ResultPath = folder.File("OBS.json") };
        CalibrationTokens data = PlainDocuments();
        Assert.Equal(sumsOutputs, Observe("plain", data, options, OnCpu()).HasOutputSums);

        IOException exception = Assert.Throws<IOException>(
            () => Observe("plain", data, options with { SumsOutputs = !sumsOutputs }, OnCpu()));

        Assert.Contains("holds another observation", exception.Message);
        Assert.Equal(sumsOutputs, Observe("plain", data, options, OnCpu()).HasOutputSums);
    }

    [Fact]
    public void Observe_BegunWithOutputSums_IsNotGoneOnWithWithout()
    {
        using TemporaryFolder folder = new();
        using CancellationTokenSource source = new();
        ObservationOptions options = new()
        {
            StepTokens = 40,
            SumsOutputs = true,
            ResultPath = folder.File("OBS.json"),
            SaveInterval = TimeSpan.Zero,
        };
        using KimiLinearModel model = KimiLinearModel.Load(Golden.Model("plain"), OnCpu());
        CalibrationTokens data = PlainDocuments();
        Assert.Throws<OperationCanceledException>(
            () => ExpertObserver.Observe(model, data, options, new CountingProgress(6, source), source.Token));
        Assert.True(File.Exists(folder.File("OBS.json.partial/progress.json")));

        PruningFileException exception = Assert.Throws<PruningFileException>(
            () => ExpertObserver.Observe(model, data, options with { SumsOutputs = false }));

        Assert.Contains("holds a part of another observation", exception.Message);
        Assert.True(ExpertObserver.Observe(model, data, options).HasOutputSums);
    }

    [Fact]
    public void Observe_DataOfAnotherModel_IsRefused()
    {
        ArgumentException outside = Assert.Throws<ArgumentException>(() => Observe(
            "plain", CalibrationTokens.FromSequences([[1], [2, 1_000_000]]), new ObservationOptions(), OnCpu()));

        Assert.Contains("Token 1 of sequence 1", outside.Message);
        Assert.Throws<ArgumentException>(() => CalibrationTokens.FromSequences([]));
        Assert.Throws<ArgumentException>(() => CalibrationTokens.FromSequences([[1], []]));
    }

    private static ExpertStatistics Observe(
        string name, CalibrationTokens data, ObservationOptions options, ModelLoadOptions loadOptions)
    {
        using KimiLinearModel model = KimiLinearModel.Load(Golden.Model(name), loadOptions);
        return ExpertObserver.Observe(model, data, options);
    }

    private static ModelLoadOptions OnCpu(int threads = 2) => new() { Device = ComputeDevice.Cpu, ThreadCount = threads };

    private static CalibrationTokens PlainDocuments()
    {
        using GoldenExpectation expected = new("plain");
        return Documents(expected.InputIds, 7, 64, 3, 90, 1, 30, 30, 20);
    }

    private static CalibrationTokens Documents(int[] ids, params int[] lengths) => CalibrationTokens.FromSequences(
        [.. lengths.Select((length, start) => ModelCases.Repeat(ids, start * 11, length))]);

    /// <summary>Cancels after some steps.</summary>
    private sealed class CountingProgress(int limit, CancellationTokenSource source) : IProgress<ObservationProgress>
    {
        private int _count;

        public void Report(ObservationProgress value)
        {
            if (++_count == limit)
            {
                source.Cancel();
            }
        }
    }
}
