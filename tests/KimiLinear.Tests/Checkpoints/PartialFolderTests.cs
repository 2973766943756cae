using System.Collections;
using KimiLinear.Checkpoints;
using Xunit;

namespace KimiLinear.Tests.Checkpoints;

public sealed class PartialFolderTests
{
    private const string Fingerprint = "one";

    private static readonly JournalFile Weights = new("model.safetensors", ["a", "b"]);

    // A second kill, just when the folder has been opened to go on, costs no more than the first.
    [Fact]
    public void Open_EndsRightThere_KeepsWhatWasFinished()
    {
        using TemporaryFolder folder = new();
        PartialFolder partial = new(folder.File("model"), "model");
        Finish(partial);
        JournalFile interrupted = Weights with { HashNames = new EndOfProcess() };
        _ = Record.Exception(() => ShardJournal.Open(partial.PartialPath, Fingerprint, [interrupted]).Dispose());

        using ShardJournal journal = partial.Open(Fingerprint, [Weights]);

        Assert.True(journal.IsFinished(Weights.FileName));
        Assert.Equal("hash of b", journal.HashOf("b"));
    }

    [Fact]
    public void Open_HalfALineAtTheEnd_WritesOnWithoutIt()
    {
        using TemporaryFolder folder = new();
        PartialFolder partial = new(folder.File("model"), "model");
        using (partial.Open(Fingerprint, [Weights]))
        {
        }

        File.AppendAllText(Path.Combine(partial.PartialPath, "unfinished.journal"), "hash\ta\tha");
        Finish(partial);

        using ShardJournal journal = partial.Open(Fingerprint, [Weights]);

        Assert.True(journal.IsFinished(Weights.FileName));
        Assert.Equal("hash of a", journal.HashOf("a"));
    }

    [Theory]
    [InlineData(Fingerprint)]
    [InlineData("another")]
    public void Open_FilesBesideTheWeights_AreWrittenAgain(string fingerprint)
    {
        using TemporaryFolder folder = new();
        PartialFolder partial = new(folder.File("model"), "model");
        Finish(partial);
        File.WriteAllText(Path.Combine(partial.PartialPath, "LICENSE"), "of another model");

        using ShardJournal journal = partial.Open(fingerprint, [Weights]);

        string[] kept = fingerprint == Fingerprint ? [Weights.FileName] : [];
        Assert.Equal(
            [.. kept, "unfinished.journal"],
            Directory.GetFiles(partial.PartialPath).Select(file => Path.GetFileName(file)).Order(StringComparer.Ordinal));
    }

    private static void Finish(PartialFolder partial)
    {
        using ShardJournal journal = partial.Open(Fingerprint, [Weights]);
        File.WriteAllBytes(Path.Combine(partial.PartialPath, Weights.FileName), [1, 2, 3]);
        journal.Finish(Weights.FileName, new Dictionary<string, string> { ["a"] = "hash of a", ["b"] = "hash of b" });
    }

    /// <summary>What is asked for first is where a process ends.</summary>
    private sealed class EndOfProcess : IReadOnlyList<string>
    {
        public int Count => throw new OperationCanceledException();

        public string this[int index] => throw new OperationCanceledException();

        public IEnumerator<string> GetEnumerator() => throw new OperationCanceledException();

        IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
    }
}
