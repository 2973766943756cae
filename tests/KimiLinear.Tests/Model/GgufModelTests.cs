using KimiLinear.Checkpoints;
using KimiLinear.Model;
using KimiLinear.Tensors;
using KimiLinear.Tests.Checkpoints;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Tests.Model;

public sealed class GgufModelTests
{
    private const double Tolerance = 1e-4;

    public static TheoryData<string, string> Cases
    {
        get
        {
            TheoryData<string, string> cases = [];
            foreach (string name in GgufGolden.Names)
            {
                cases.Add(name, Backend.Reference);
                cases.Add(name, Backend.Default);
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void ForwardEveryToken_EveryFormat_MatchesTheExactLogits(string name, string backend)
    {
        (int[] ids, float[] expected) = GgufGolden.Expected(name);
        using KimiLinearModel model = Backend.Load(GgufGolden.File(name), backend);

        float[] logits = model.EveryLogits(ids);

        TensorAssert.Close(logits, expected, Tolerance, $"{name} on {backend}");
    }

    [Fact]
    public void Load_TrainedModelAsGguf_IsTheModelOfTheFolder()
    {
        using TemporaryFolder folder = new();
        string path = TinyGguf.Write(folder.File("tiny.gguf"));
        using KimiLinearModel expected = KimiLinearModel.Load(TinyGguf.Folder);
        int[] ids = [.. Enumerable.Range(0, 100).Select(i => i * 37 % 1536)];

        using KimiLinearModel model = KimiLinearModel.Load(path);

        Assert.Equal("tiny", model.Name);
        Assert.Equal(new FileInfo(path).Length, model.WeightBytes);
        Assert.Equal(expected.Config.LayerKinds, model.Config.LayerKinds);
        Assert.Equal(expected.Config.EosTokenIds, model.Config.EosTokenIds);
        Assert.Equal((2, 4), (model.Config.DeltaHeadCount, model.Config.LatentHeadCount));
        TensorAssert.Close(model.EveryLogits(ids), expected.EveryLogits(ids), 1e-5, "logits");
    }

    [Fact]
    public void Load_FolderWithOneGgufModel_LoadsIt()
    {
        using TemporaryFolder folder = new();
        File.Copy(GgufGolden.File("q4_0"), folder.File("small.gguf"));

        using KimiLinearModel model = KimiLinearModel.Load(folder.Path);

        Assert.Equal("small", model.Name);
        Assert.Equal(KimiLinearModel.LoadConfig(folder.Path).LayerKinds, model.Config.LayerKinds);
    }

    [Theory]
    [InlineData(WeightPreload.Always)]
    [InlineData(WeightPreload.Never)]
    public void Load_GgufFile_ReportsProgressThatEndsAtOne(WeightPreload preload)
    {
        Reports reports = new();

        using KimiLinearModel model = KimiLinearModel.Load(
            GgufGolden.File("q6_k"), new ModelLoadOptions { Preload = preload }, reports);

        double[] fractions = [.. reports.Select(report => report.Fraction)];
        Assert.Equal(fractions.Order(), fractions);
        Assert.Equal(1, fractions[^1]);
    }

    // Converting rounds once more, and packed weights are multiplied with rounded activations.
    [Theory]
    [InlineData(WeightFormat.BFloat16, 0.02)]
    [InlineData(WeightFormat.Q8, 0.05)]
    public void Load_GgufFileConverted_StaysNearTheExactLogits(WeightFormat format, double tolerance)
    {
        (int[] ids, float[] expected) = GgufGolden.Expected("q8_0");

        using KimiLinearModel model = KimiLinearModel.Load(
            GgufGolden.File("q8_0"), new ModelLoadOptions { Format = format });

        TensorAssert.Close(model.EveryLogits(ids), expected, tolerance, $"{format}");
    }

    [Fact]
    public void Inspect_GgufFile_CountsWhatTheFileHolds()
    {
        ModelSummary summary = ModelSummary.Inspect(GgufGolden.File("q4_k_m"));

        Assert.Equal("q4_k_m", summary.Name);
        Assert.Equal([GgufGolden.File("q4_k_m")], summary.WeightFiles);
        Assert.Equal(DataType.GgufQ4K, summary.StoredDataTypes[0].DataType);
        Assert.Contains(DataType.GgufQ50, summary.StoredDataTypes.Select(type => type.DataType));
        Assert.Equal(39, summary.StoredDataTypes.Sum(type => type.TensorCount));
        Assert.Equal(summary.ParameterCount, summary.StoredDataTypes.Sum(type => type.ValueCount));
    }

    [Fact]
    public void Dispose_GgufModel_ReleasesTheFile()
    {
        using TemporaryFolder folder = new();
        string path = folder.Write("x.gguf", File.ReadAllBytes(GgufGolden.File("q5_0")));

        KimiLinearModel.Load(path).Dispose();

        Assert.False(IsMapped(path));
    }

    // Only Linux tells; on Windows, deleting the folder would fail instead.
    private static bool IsMapped(string path) =>
        OperatingSystem.IsLinux() && File.ReadAllText("/proc/self/maps").Contains(path, StringComparison.Ordinal);
}
