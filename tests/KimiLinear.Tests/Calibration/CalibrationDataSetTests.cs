using KimiLinear.Calibration;
using KimiLinear.Pruning;
using KimiLinear.Tests.Checkpoints;
using Xunit;

namespace KimiLinear.Tests.Calibration;

public sealed class CalibrationDataSetTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public static TheoryData<string, string> Mistakes { get; } = new()
    {
        { "", "Entry 1, at character 1, is empty." },
        { "a:1,", "Entry 2, at character 5, is empty." },
        { "a:1, , b:2", "Entry 2, at character 6, is empty." },
        { "a:1, b", "Entry 2, at character 6, is 'b', but lacks ':N'" },
        { "a[x](y), b:1", "Entry 1, at character 1, is 'a[x](y)', but lacks ':N'" },
        { "a:1,  b[code:2", "Entry 2, at character 7, is 'b[code:2', but must be name[subset](split):N" },
        { "a:1, b(tool):2, c{tool}:3", "Entry 3, at character 17, is 'c{tool}:3', but must be name[subset](split):N" },
        { "a:1, b(tool)[code]:2", "Entry 2, at character 6, is 'b(tool)[code]:2', but must be" },
        { "a:1, b[]:2", "Entry 2, at character 6, is 'b[]:2', but must be" },
        { "a:1, b:many", "Entry 2, at character 6, is 'b:many', but must be" },
        { "a:-1", "Entry 1, at character 1, is 'a:-1', but must be" },
        { "a:0", "Entry 1, at character 1, asks for 0 records of 'a', but it must be at least 1" },
        { "a:1, b:99999999999999999999", "Entry 2, at character 6, asks for 99999999999999999999 records of 'b'" },
        { "a:1, b[x]:2, a(train):3", "Entry 3, at character 14, names the same data as entry 1." },
        { "../a:1", "Entry 1, at character 1, is '../a:1', but must be" },
        { "/etc/a:1", "Entry 1, at character 1, is '/etc/a:1', but must be" },
        { "a[..]:1", "Entry 1, at character 1, is 'a[..]:1', but must be" },
        { "a(x/../y):1", "Entry 1, at character 1, is 'a(x/../y):1', but must be" },
    };

    public static TheoryData<string, string> Places { get; } = new()
    {
        { "set:2", "set/train.jsonl" },
        { "set:2", "set/train.json" },
        { "set:2", "set.jsonl" },
        { "set(tool):2", "set/tool.jsonl" },
        { "set[code]:2", "set/code/train.jsonl" },
        { "set[code]:2", "set/code.jsonl" },
        { "set[code](tool):2", "set/code/tool.json" },
        { "org/set:2", "org/set/train.jsonl" },
        { "org/set:2", "set/train.jsonl" },
        { "org/set[code]:2", "set/code.json" },
    };

    public void Dispose() => _folder.Dispose();

    // The vector of the published program's tests, case I of the report.
    [Fact]
    public void Parse_SixEntries_AreNameSubsetSplitAndNumber()
    {
        IReadOnlyList<CalibrationDataSet> sets = CalibrationDataSet.Parse(
            "theblackcat102/evol-codealpaca-v1:4096, Salesforce/xlam-function-calling-60k:4096, "
            + "open-r1/Mixture-of-Thoughts[code]:4096,open-r1/Mixture-of-Thoughts[math]:4096 , "
            + "open-r1/Mixture-of-Thoughts[science]:4096, SWE-bench/SWE-smith-trajectories(tool):4096");

        Assert.Equal(
            [
                new CalibrationDataSet("theblackcat102/evol-codealpaca-v1", null, "train", 4096),
                new CalibrationDataSet("Salesforce/xlam-function-calling-60k", null, "train", 4096),
                new CalibrationDataSet("open-r1/Mixture-of-Thoughts", "code", "train", 4096),
                new CalibrationDataSet("open-r1/Mixture-of-Thoughts", "math", "train", 4096),
                new CalibrationDataSet("open-r1/Mixture-of-Thoughts", "science", "train", 4096),
                new CalibrationDataSet("SWE-bench/SWE-smith-trajectories", null, "tool", 4096),
            ],
            sets);
        Assert.Equal("open-r1/Mixture-of-Thoughts[code](train):4096", sets[2].ToString());
        Assert.Equal(sets, CalibrationDataSet.Parse(string.Join(',', sets)));
    }

    [Theory]
    [InlineData("evol-codealpaca-v1", "evol-codealpaca-v1", null, "train", null)]
    [InlineData(" evol-codealpaca-v1 ", "evol-codealpaca-v1", null, "train", null)]
    [InlineData("evol-codealpaca-v1:7", "evol-codealpaca-v1", null, "train", 7L)]
    [InlineData("Mixture-of-Thoughts[code](test)", "Mixture-of-Thoughts", "code", "test", null)]
    [InlineData("a.b_c [ d ] ( e ) : 7", "a.b_c", "d", "e", 7L)]
    public void Parse_LoneName_NeedsNoNumber(string text, string name, string? subset, string split, long? count) =>
        Assert.Equal([new CalibrationDataSet(name, subset, split, count)], CalibrationDataSet.Parse(text));

    [Theory]
    [MemberData(nameof(Mistakes))]
    public void Parse_BadEntry_SaysWhereAndWhat(string text, string problem)
    {
        FormatException exception = Assert.Throws<FormatException>(() => CalibrationDataSet.Parse(text));

        Assert.StartsWith(problem, exception.Message, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Places))]
    public void Find_AnyPlace_IsTheFile(string text, string path)
    {
        CalibrationDataSet set = Assert.Single(CalibrationDataSet.Parse(text));
        string expected = Write(path, 3);
        Write("set/other.jsonl", 3);
        Write("set/code/other.jsonl", 3);

        CalibrationFile file = set.Find(_folder.Path);

        Assert.Equal(Path.GetFullPath(expected), Path.GetFullPath(file.Path));
        Assert.Equal((set, 2L), (file.DataSet, file.RecordCount));
    }

    [Fact]
    public void Find_NoneOrSeveral_NamesThem()
    {
        Write("set/train.txt", 1);
        Write("set/code/train.jsonl", 1);
        Write("both/train.jsonl", 1);
        Write("both.json", 1);

        FileNotFoundException none = Assert.Throws<FileNotFoundException>(() => new CalibrationDataSet("org/set", null, "tool").Find(_folder.Path));
        FileNotFoundException other = Assert.Throws<FileNotFoundException>(() => new CalibrationDataSet("set").Find(_folder.Path));
        IOException several = Assert.Throws<IOException>(() => new CalibrationDataSet("both").Find(_folder.Path));

        Assert.Contains(
            "the data set 'org/set(tool)'. Looked for org/set/tool.jsonl, org/set/tool.json, set/tool.jsonl, set/tool.json.",
            none.Message,
            StringComparison.Ordinal);
        Assert.Contains("Looked for set/train.jsonl, set/train.json, set.jsonl, set.json.", other.Message, StringComparison.Ordinal);
        Assert.Contains("'both(train)': both/train.jsonl, both.json. Keep one", several.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("../secret", null, "train")]
    [InlineData("/etc/secret", null, "train")]
    [InlineData("set", "..", "train")]
    [InlineData("set", null, "../../train")]
    [InlineData("set", null, "a\\b")]
    [InlineData("", null, "train")]
    public void Find_PartsThatLeadElsewhere_AreRefused(string name, string? subset, string split)
    {
        ArgumentException error = Assert.Throws<ArgumentException>(
            () => new CalibrationDataSet(name, subset, split).Find(_folder.Path));

        Assert.Contains("must lead to a place below the folder", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("one/data:1, two/data:1")]
    [InlineData("one/data:1, data:2")]
    public void FindAll_TwoDataSetsInOneFile_AreRefused(string text)
    {
        Write("data.jsonl", 3);
        Write("other.jsonl", 3);
        IReadOnlyList<CalibrationDataSet> sets = CalibrationDataSet.Parse(text);

        IOException error = Assert.Throws<IOException>(() => CalibrationDataSet.FindAll(sets, _folder.Path));
        IReadOnlyList<CalibrationFile> files = CalibrationDataSet.FindAll(CalibrationDataSet.Parse("data:1, other:2"), _folder.Path);

        Assert.Contains($"'{sets[0]}' and '{sets[1]}'", error.Message, StringComparison.Ordinal);
        Assert.Contains("would count twice", error.Message, StringComparison.Ordinal);
        Assert.Equal(["data.jsonl", "other.jsonl"], files.Select(file => Path.GetFileName(file.Path)));
    }

    // Record i of the first set is [i], of the second [1000 + i].
    [Fact]
    public void Read_DataSets_GiveAsManyRecordsAsTheySay()
    {
        Write("first/train.jsonl", 50);
        Write("second/code/tool.jsonl", 40, 1000);
        CalibrationFile[] files = [.. CalibrationDataSet.Parse("first:5, second[code](tool):8").Select(set => set.Find(_folder.Path))];

        CalibrationTokens data = CalibrationReader.Read(files, null, new CalibrationOptions { Seed = 42 });
        CalibrationTokens again = CalibrationReader.Read(files, null, new CalibrationOptions { Seed = 42 });
        CalibrationTokens other = CalibrationReader.Read(files, null, new CalibrationOptions { Seed = 43 });

        int[] ids = [.. data.Sequences.Select(sequence => sequence[0])];
        Assert.Equal(13, ids.Distinct().Count());
        Assert.All(ids[..5], id => Assert.InRange(id, 0, 49));
        Assert.All(ids[5..], id => Assert.InRange(id, 1000, 1039));
        Assert.NotEqual(Enumerable.Range(0, 5), ids[..5]);
        Assert.Equal(data.Sequences, again.Sequences);
        Assert.NotEqual(data.Summary.TokenHash, other.Summary.TokenHash);
        Assert.Equal(["first(train):5", "second[code](tool):8"], data.Summary.Sources.Select(source => source.DataSet));
        Assert.Equal(["train.jsonl", "tool.jsonl"], data.Summary.Sources.Select(source => source.FileName));
        Assert.Equal([(50, 5), (40, 8)], data.Summary.Sources.Select(source => (source.RecordCount, source.UsedRecordCount)));
        Assert.Equal(42, data.Summary.Seed);
    }

    [Fact]
    public void Read_TooFewRecords_SaysHowManyThereAre()
    {
        string path = Write("set/train.jsonl", 10);
        CalibrationFile file = new CalibrationDataSet("set", RecordCount: 11).Find(_folder.Path);

        PruningFileException few = Assert.Throws<PruningFileException>(() => CalibrationReader.Read([file], null));
        File.AppendAllText(path, """{"ids": [1, 2, 3]}""");
        PruningFileException skipped = Assert.Throws<PruningFileException>(() => CalibrationReader.Read(
            [file], null, new CalibrationOptions { MaxSequenceTokens = 2, SkipsLongRecords = true }));

        Assert.Contains("train.jsonl' holds 10 records, of which 10 can be used, but 11 are asked for.", few.Message, StringComparison.Ordinal);
        Assert.Contains("holds 11 records, of which 10 can be used, but 11 are asked for.", skipped.Message, StringComparison.Ordinal);
        Assert.Equal(11, CalibrationReader.Read([file], null).Sequences.Count);
    }

    [Fact]
    public void Read_LimitForAllFiles_IsRefused()
    {
        Write("set.jsonl", 10);
        CalibrationFile file = new CalibrationDataSet("set", RecordCount: 3).Find(_folder.Path);

        foreach (CalibrationOptions options in (CalibrationOptions[])[new() { MaxTokens = 5 }, new() { MaxRecords = 5 }])
        {
            ArgumentException exception = Assert.Throws<ArgumentException>(() => CalibrationReader.Read([file], null, options));
            Assert.Contains("is to give 3 records, so there can be no limit", exception.Message, StringComparison.Ordinal);
        }

        CalibrationFile whole = new CalibrationDataSet("set").Find(_folder.Path);
        Assert.Equal(5, CalibrationReader.Read([whole], null, new CalibrationOptions { MaxRecords = 5 }).Sequences.Count);
        Assert.Throws<ArgumentOutOfRangeException>(() => file with { RecordCount = 0 });
    }

    private string Write(string path, int count, int first = 0)
    {
        string full = _folder.File(path);
        Directory.CreateDirectory(Path.GetDirectoryName(full)!);
        File.WriteAllLines(full, Enumerable.Range(first, count).Select(i => $$"""{"ids": [{{i}}]}"""));
        return full;
    }
}
