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
