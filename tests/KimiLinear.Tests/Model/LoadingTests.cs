using KimiLinear.Checkpoints;
using KimiLinear.Model;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Tests.Model;

/// <summary>Loading tells how far it is, can be stopped, and says plainly what is missing.</summary>
public sealed class LoadingTests
{
    public static TheoryData<string, WeightPreload> ModelsAndPreloads() => new MatrixTheoryData<string, WeightPreload>(
        Golden.ModelNames, [WeightPreload.Auto, WeightPreload.Always, WeightPreload.Never]);

    [Theory]
    [MemberData(nameof(ModelsAndPreloads))]
    public void Load_AnyModel_ReportsProgressThatNeverFallsAndEndsAtOne(string modelName, WeightPreload preload)
    {
        Reports reports = new();

        using KimiLinearModel model = KimiLinearModel.Load(
            Golden.Model(modelName), new ModelLoadOptions { ThreadCount = 1, Preload = preload }, reports);

        AssertNeverFallsAndEndsAtOne(reports);
    }

    [Theory]
    [InlineData(WeightFormat.BFloat16)]
    [InlineData(WeightFormat.Q8)]
    [InlineData(WeightFormat.Q4)]
    [InlineData(WeightFormat.Float8)]
    public void Load_Converting_ReportsProgressThatNeverFallsAndEndsAtOne(WeightFormat format)
    {
        Reports reports = new();

        using KimiLinearModel model = KimiLinearModel.Load(Golden.TinyModel, new ModelLoadOptions { Format = format }, reports);

        AssertNeverFallsAndEndsAtOne(reports);
    }

    [Fact]
    public void Load_HeadTiedToEmbedding_ReportsProgressThatNeverFallsAndEndsAtOne()
    {
        using TemporaryModelFolder folder = new("plain");
        folder.SetConfig("tie_word_embeddings", true);
        Reports reports = new();

        using KimiLinearModel model = KimiLinearModel.Load(folder.Path, progress: reports);

        AssertNeverFallsAndEndsAtOne(reports);
    }

    // Layers after the last are ignored. This one is large enough for reading ahead to report more than once.
    [Theory]
    [InlineData(WeightPreload.Always)]
    [InlineData(WeightPreload.Never)]
    public void Load_LargeUnusedLayer_ReportsProgressThatNeverFallsAndEndsAtOne(WeightPreload preload)
    {
        using TemporaryModelFolder folder = new("no-shared");
        folder.AppendZeros("model.layers.2.unused.weight", 100L << 20);
        Reports reports = new();

        using KimiLinearModel model = KimiLinearModel.Load(folder.Path, new ModelLoadOptions { Preload = preload }, reports);

        AssertNeverFallsAndEndsAtOne(reports);
        Assert.True(model.WeightBytes > 100L << 20, "The unused layer should be in the file.");
    }

    [Fact]
    public async Task LoadAsync_AnyModel_GivesTheSameAsLoad()
    {
        using KimiLinearModel blocking = KimiLinearModel.Load(Golden.Model("no-shared"));

        using KimiLinearModel model = await KimiLinearModel.LoadAsync(Golden.Model("no-shared"));

        Assert.Equal("no-shared", model.Name);
        Assert.Equal(blocking.WeightBytes, model.WeightBytes);
        Assert.Equal(blocking.DeviceDescription, model.DeviceDescription);
        TensorAssert.Identical(model.EveryLogits([1, 2, 3]), blocking.EveryLogits([1, 2, 3]), "logits");
    }

    [Fact]
    public void Load_FolderNamedWithSeparator_HasTheFolderAsName()
    {
        using KimiLinearModel model = KimiLinearModel.Load(Golden.Model("no-shared") + Path.DirectorySeparatorChar);

        Assert.Equal("no-shared", model.Name);
    }

    [Fact]
    public void Load_MissingFolder_Throws()
    {
        string path = Path.Combine(Path.GetTempPath(), "kimi-no-such-model");

        DirectoryNotFoundException exception = Assert.Throws<DirectoryNotFoundException>(() => KimiLinearModel.Load(path));

        AssertOneSentenceAbout(path, exception);
    }

    [Fact]
    public void Load_FolderWithoutConfig_Throws()
    {
        using TemporaryModelFolder folder = new("no-shared");
        folder.DeleteConfig();

        FileNotFoundException exception = Assert.Throws<FileNotFoundException>(() => KimiLinearModel.Load(folder.Path));

        Assert.Contains("config.json", exception.Message, StringComparison.Ordinal);
        AssertOneSentenceAbout(folder.Path, exception);
        Assert.False(folder.IsMapped());
    }

    [Theory]
    [InlineData("no-shared")]
    [InlineData("sharded-f16")]
    public void Load_FolderWithoutWeights_Throws(string modelName)
    {
        using TemporaryModelFolder folder = new(modelName);
        folder.DeleteWeights();

        FileNotFoundException exception = Assert.Throws<FileNotFoundException>(() => KimiLinearModel.Load(folder.Path));

        AssertOneSentenceAbout(folder.Path, exception);
    }

    [Fact]
    public void Load_EmptyPath_Throws() => Assert.Throws<ArgumentException>(() => KimiLinearModel.Load(""));

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(1025)]
    public void ThreadCount_OutOfRange_Throws(int threadCount) =>
        Assert.Throws<ArgumentOutOfRangeException>("ThreadCount", () => new ModelLoadOptions { ThreadCount = threadCount });

    [Fact]
    public void Load_AlreadyCancelled_ThrowsBeforeReading()
    {
        Reports reports = new();

        Assert.Throws<OperationCanceledException>(() => KimiLinearModel.Load(
            Golden.Model("no-shared"), progress: reports, cancellationToken: new CancellationToken(canceled: true)));

        Assert.Empty(reports);
    }

    [Fact]
    public async Task LoadAsync_Cancelled_Throws()
    {
        using CancellationTokenSource source = new();
        Reports reports = new() { OnReport = _ => source.Cancel() };

        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => KimiLinearModel.LoadAsync(Golden.Model("plain"), progress: reports, cancellationToken: source.Token));
    }

    private static void AssertNeverFallsAndEndsAtOne(Reports reports)
    {
        double[] fractions = [.. reports.Select(report => report.Fraction)];
        Assert.NotEmpty(fractions);
        Assert.All(fractions, fraction => Assert.InRange(fraction, 0, 1));
        Assert.Equal(fractions.Order(), fractions);
        Assert.Equal(1, fractions[^1]);
        Assert.Single(reports.Select(report => report.TotalBytes).Distinct());
        Assert.All(reports, report => Assert.False(string.IsNullOrWhiteSpace(report.Step)));
    }

    // Release of what had been loaded by then is tested in MemoryTests.
    private static void AssertOneSentenceAbout(string path, Exception exception)
    {
        string message = exception.Message.Replace(path, "PATH", StringComparison.Ordinal);
        Assert.Contains("PATH", message, StringComparison.Ordinal);
        Assert.EndsWith(".", message, StringComparison.Ordinal);
        Assert.DoesNotContain(". ", message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', message);
    }
}
