using KimiLinear.Pruning;
using KimiLinear.Tests.Checkpoints;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Tests.Pruning;

public sealed class ExpertStatisticsTests
{
    private static readonly ObservedModel Model = new("test", "ab12", 3, 2, 1, 1);

    public static TheoryData<string, string, string> Damages() => new()
    {
        { "\"kimi-linear-expert-statistics\"", "\"something\"", "has no format" },
        { "\"version\": 1", "\"version\": 2", "its version is 2" },
        { "\"token_count\": [2, 0, 1]", "\"token_count\": [2, 0]", "has 2 entries for 3 experts" },
        { "\"token_count\": [2, 0, 1]", "\"token_count\": [2, 0, -1]", "is negative for expert 2" },
        { "\"token_count\": [2, 0, 1]", "\"token_count\": [2, 0, 1.5]", "holds 1.5 for expert 2" },
        { "\"norm_sum\": [", "\"norm_sum\": [1e999, ", "'norm_sum' of layer 1" },
        { "\"gate_mode\": \"model\"", "\"gate_mode\": \"none\"", "is no gate mode" },
        { "\"num_experts\": 3", "\"num_experts\": 0", "has 0 experts" },
        { "\"layers\"", "\"floors\"", "The given key was not present" },
        { "}", "", "" },
    };

    [Fact]
    public void Load_WhatWasSaved_IsTheSame()
    {
        using TemporaryFolder folder = new();
        ExpertStatistics saved = Sample();
        saved.Save(folder.File("a.json"));

        ExpertStatistics loaded = ExpertStatistics.Load(folder.File("a.json"));
        loaded.Save(folder.File("b.json"));

        StatisticsAssert.Identical(saved, loaded);
        Assert.Equal(Model, loaded.Model);
        Assert.Equal(GateMode.Model, loaded.GateMode);
        Assert.Equal(7, loaded.TokenCount);
        CalibrationSource source = Assert.Single(Assert.Single(loaded.Calibration).Sources);
        Assert.Equal(saved.Calibration[0].Sources[0], source);
        Assert.Equal(File.ReadAllBytes(folder.File("a.json")), File.ReadAllBytes(folder.File("b.json")));
    }

    [Fact]
    public void Load_WhatWasSavedWithOutputSums_IsTheSame()
    {
        using TemporaryFolder folder = new();
        ExpertStatistics saved = WithOutputSums();
        saved.Save(folder.File("a.json"));

        ExpertStatistics loaded = ExpertStatistics.Load(folder.File("a.json"));
        loaded.Save(folder.File("b.json"));

        Assert.True(loaded.HasOutputSums);
        StatisticsAssert.Identical(saved, loaded);
        Assert.Equal([4.1f, -1e30f, 1e-40f], loaded.GetLayer(1).GetOutputSum(2).ToArray().Select(value => (float)value));
        Assert.Equal([0, 0, 0], loaded.GetLayer(2).GetOutputSum(0).ToArray());
        Assert.Equal(File.ReadAllBytes(folder.File("a.json")), File.ReadAllBytes(folder.File("b.json")));
    }

    [Theory]
    [InlineData("\"output_dim\": 3", "\"output_dim\": 4", "'output_sum' of layer 1 holds no 4 values in base64 for expert 0")]
    [InlineData("\"output_dim\": 3", "\"output_dim\": -3", "its outputs have -3 values")]
    [InlineData("\"output_dim\": 3", "\"output_dim\": 2000000000", "its outputs have 2000000000 values")]
    [InlineData("\"output_sum\": [", "\"output_sum\": [\"AAAA\",", "'output_sum' of layer 1 has 4 entries for 3 experts")]
    [InlineData("\"output_sum\": [", "\"output_sums\": [", "The given key was not present")]
    [InlineData("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAAAAAAAA*AAA", "in base64 for expert")]
    [InlineData("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAA+H8AAAAAAAAAAAAAAAAAAAAA", "beyond all bounds for expert")]
    [InlineData("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAA8P8AAAAAAAAAAAAAAAAAAAAA", "beyond all bounds for expert")]
    public void Load_DamagedOutputSums_SaysWhere(string found, string replacement, string problem)
    {
        using TemporaryFolder folder = new();
        string path = folder.File("a.json");
        WithOutputSums().Save(path);
        string text = File.ReadAllText(path);
        int place = text.IndexOf(found, StringComparison.Ordinal);
        File.WriteAllText(path, text[..place] + replacement + text[(place + found.Length)..]);

        PruningFileException exception = Assert.Throws<PruningFileException>(() => ExpertStatistics.Load(path));

        Assert.Contains(problem, exception.Message);
    }

    [Fact]
    public void Add_OutputSumsInOneOnly_IsRefused()
    {
        ExpertStatistics with = WithOutputSums();
        ExpertStatistics without = Sample();

        Assert.Contains("with and without sums of outputs", Assert.Throws<ArgumentException>(() => with.Add(without)).Message);
        Assert.Contains("--output-sums", Assert.Throws<ArgumentException>(() => without.Add(with)).Message);
        StatisticsAssert.Identical(WithOutputSums(), with);
        StatisticsAssert.Identical(Sample(), without);
    }

    [Theory]
    [MemberData(nameof(Damages))]
    public void Load_DamagedFile_SaysWhere(string found, string replacement, string problem)
    {
        using TemporaryFolder folder = new();
        string path = folder.File("a.json");
        Sample().Save(path);
        string text = File.ReadAllText(path);
        int place = text.IndexOf(found, StringComparison.Ordinal);
        File.WriteAllText(path, text[..place] + replacement + text[(place + found.Length)..]);

        PruningFileException exception = Assert.Throws<PruningFileException>(() => ExpertStatistics.Load(path));

        Assert.Equal(path, exception.FilePath);
        Assert.StartsWith($"'{path}' is no observation", exception.Message);
        Assert.Contains(problem, exception.Message);
    }

    [Fact]
    public void Save_FolderMissing_LeavesNothing()
    {
        using TemporaryFolder folder = new();

        Assert.Throws<DirectoryNotFoundException>(() => Sample().Save(Path.Combine(folder.Path, "missing", "a.json")));

        Assert.Empty(Directory.GetFileSystemEntries(folder.Path));
    }

    [Fact]
    public void Save_TargetIsAFolder_LeavesNoTemporaryFile()
    {
        using TemporaryFolder folder = new();
        Directory.CreateDirectory(folder.File("a.json"));

        Assert.ThrowsAny<Exception>(() => Sample().Save(folder.File("a.json")));

        Assert.Equal([folder.File("a.json")], Directory.GetFileSystemEntries(folder.Path));
    }

    [Fact]
    public void Add_AnotherModelOrMode_IsRefused()
    {
        ExpertStatistics statistics = Sample();

        Assert.Contains("different models", Assert.Throws<ArgumentException>(
            () => statistics.Add(new ExpertStatistics(Model with { Fingerprint = "cd34" }, GateMode.Model, [1, 2]))).Message);
        Assert.Contains("different models", Assert.Throws<ArgumentException>(
            () => statistics.Add(new ExpertStatistics(Model, GateMode.Model, [1, 3]))).Message);
        Assert.Contains("different gate modes", Assert.Throws<ArgumentException>(
            () => statistics.Add(new ExpertStatistics(Model, GateMode.HfAlias, [1, 2]))).Message);
        StatisticsAssert.Identical(Sample(), statistics);
    }

    [Fact]
    public void Add_SameModelUnderAnotherName_Counts()
    {
        ExpertStatistics statistics = Sample();

        statistics.Add(new ExpertStatistics(Model with { Name = "copy" }, GateMode.Model, [1, 2]));

        StatisticsAssert.Identical(Sample(), statistics);
    }

    private static ExpertStatistics WithOutputSums()
    {
        ExpertStatistics statistics = new(Model, GateMode.Model, [1, 2], outputDim: 3);
        foreach (LayerStatistics layer in statistics.Layers)
        {
            layer.Record(2, 0.2, 5, 4);
        }

        statistics.GetLayer(1).AddOutput(2, [1.1f, -1e30f, 0]);
        statistics.GetLayer(1).AddOutput(2, [3, 0, 1e-40f]);
        return statistics;
    }

    private static ExpertStatistics Sample()
    {
        ExpertStatistics statistics = new(Model, GateMode.Model, [1, 2]);
        statistics.GetLayer(1).Record(0, 0.1, 1 / 3.0, 0.25);
        statistics.GetLayer(1).Record(0, 0.7, 1e-9, 1e-10);
        statistics.GetLayer(1).Record(2, 0.2, 12345.678, 99);
        statistics.GetLayer(2).Record(1, 1, 1, 1);
        statistics.AddCalibration(new CalibrationSummary
        {
            Sources =
            [
                new CalibrationSource
                {
                    FileName = "größe.jsonl",
                    DataSet = "größe[x](train):3",
                    Sha256 = "00ff",
                    Format = "messages, text",
                    Weight = 2.5,
                    RecordCount = 4,
                    UsedRecordCount = 3,
                    TruncatedRecordCount = 1,
                    TokenCount = 7,
                },
            ],
            MaxSequenceTokens = 5,
            Truncated = true,
            Packed = false,
            MaxTokens = 7,
            Seed = null,
            SequenceCount = 3,
            TokenCount = 7,
        });
        return statistics;
    }
}
