using KimiLinear.Checkpoints;
using KimiLinear.Configuration;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Tests.Checkpoints;

public sealed class GgufPartsTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    public void Open_FirstOfSeveralParts_GivesTheWholeModel(int count)
    {
        string first = WriteParts(count);
        using Checkpoint whole = Checkpoint.Open(GgufGolden.File("q4_k_m"));

        using Checkpoint checkpoint = Checkpoint.Open(first);

        Assert.Equal(count, checkpoint.Files.Count);
        Assert.Equal(checkpoint.Files.Sum(file => new FileInfo(file).Length), checkpoint.TotalBytes);
        Assert.Equal(
            whole.Tensors.Select(tensor => (tensor.Name, tensor.DataType, tensor.Shape)).Order(),
            checkpoint.Tensors.Select(tensor => (tensor.Name, tensor.DataType, tensor.Shape)).Order());
        CheckpointSchema.Validate(checkpoint, ModelLocation.Find(first).LoadConfig());
    }

    [Fact]
    public void Find_FolderOfOneSplitModel_IsItsFirstPart()
    {
        string first = WriteParts(3);

        ModelLocation location = ModelLocation.Find(_folder.Path);

        Assert.Equal(first, location.Path);
        Assert.Equal("small", location.Name);
    }

    [Fact]
    public void Open_LaterPart_SaysWhichToOpen()
    {
        WriteParts(3);

        string message = Refusal(_folder.File("small-00002-of-00003.gguf"));

        Assert.Contains("is part 2 of a model in 3 files", message, StringComparison.Ordinal);
        Assert.Contains($"'{_folder.File("small-00001-of-00003.gguf")}'", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_PartsMissing_NamesThem()
    {
        string first = WriteParts(3);
        File.Delete(_folder.File("small-00003-of-00003.gguf"));

        string message = Refusal(first);

        Assert.Contains("small-00003-of-00003.gguf", message, StringComparison.Ordinal);
        Assert.DoesNotContain("00002", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_PartRenamed_AsksForTheOriginalName()
    {
        string first = WriteParts(2);
        File.Move(first, _folder.File("other.gguf"));

        Assert.Contains("must end in '-00001-of-00002.gguf'", Refusal(_folder.File("other.gguf")), StringComparison.Ordinal);
    }

    [Fact]
    public void Open_PartsExchanged_SaysSo()
    {
        string first = WriteParts(3);
        File.Copy(_folder.File("small-00003-of-00003.gguf"), _folder.File("small-00002-of-00003.gguf"), overwrite: true);

        Assert.Contains("must be part 2 of 3 by its name, but says", Refusal(first), StringComparison.Ordinal);
    }

    [Fact]
    public void Open_PartOfAnotherSplit_SaysSo()
    {
        string first = WriteParts(3);
        _folder.Write("small-00002-of-00003.gguf", new GgufWriter().ToBytes());

        Assert.Contains("but says that it is whole", Refusal(first), StringComparison.Ordinal);
    }

    [Fact]
    public void Open_TensorInTwoParts_SaysSo()
    {
        string first = WriteParts(2, inBoth: "output.weight");

        Assert.Contains("output.weight is in", Refusal(first), StringComparison.Ordinal);
    }

    [Fact]
    public void Open_TensorsMissingFromTheParts_CountsThem()
    {
        string first = WriteParts(2, leftOut: "output.weight");

        Assert.Contains("must hold 39 tensors together, but hold 38", Refusal(first), StringComparison.Ordinal);
    }

    private static string Refusal(string path) =>
        Assert.ThrowsAny<ModelFormatException>(() => Checkpoint.Open(path).Dispose()).Message;

    // The first part may hold no tensors at all; the metadata are in it.
    private string WriteParts(int count, string? inBoth = null, string? leftOut = null)
    {
        GgufWriter[] parts = [GgufGolden.Copy("q4_k_m"), .. Enumerable.Range(1, count - 1).Select(_ => new GgufWriter())];
        string[] names = [.. parts[0].TensorNames];
        for (int i = 0; i < names.Length; i++)
        {
            GgufWriter.Tensor tensor = parts[0].Take(names[i]);
            if (tensor.Name == leftOut)
            {
                continue;
            }

            int part = 1 + (i % (count - 1));
            parts[part].Add(tensor.Name, tensor.Type, tensor.Bytes, tensor.Shape);
            if (tensor.Name == inBoth)
            {
                parts[0].Add(tensor.Name, tensor.Type, tensor.Bytes, tensor.Shape);
            }
        }

        for (int i = 0; i < count; i++)
        {
            parts[i].Set("split.no", (ushort)i).Set("split.count", (ushort)count).Set("split.tensors.count", names.Length);
            _folder.Write($"small-{i + 1:D5}-of-{count:D5}.gguf", parts[i].ToBytes());
        }

        return _folder.File($"small-00001-of-{count:D5}.gguf");
    }
}
