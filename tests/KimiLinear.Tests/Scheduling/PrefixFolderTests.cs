using KimiLinear.Backends;
using KimiLinear.Caching;
using KimiLinear.Generation;
using KimiLinear.Scheduling;
using KimiLinear.Tests.Generation;
using Xunit;

namespace KimiLinear.Tests.Scheduling;

/// <summary>What leaves memory for files, and comes back.</summary>
public sealed class PrefixFolderTests(TinyModel tiny) : IClassFixture<TinyModel>, IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("kimi-prefixes-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task GenerateAsync_CopyDroppedFromMemory_IsResumedFromItsFile()
    {
        using EngineHarness harness = new(tiny, LittleMemory());
        int[] reply = await harness.AskAsync(1);
        for (int other = 2; other < 6; other++)
        {
            await harness.AskAsync(other);
        }

        int[] second = [.. harness.Prompt(1), .. reply, .. tiny.Ask("And in Rome?")];
        List<GeneratedToken> resumed = await harness.Engine
            .GenerateAsync(second, EngineHarness.Options(5), TestContext.Current.CancellationToken)
            .ToListAsync(TestContext.Current.CancellationToken);

        Assert.Equal(harness.Prompt(1).Length + reply.Length - 1, resumed[^1].Timings!.CachedPromptTokenCount);
        Assert.Equal(
            await EngineHarness.ReadAsync(tiny.CreateGenerator().GenerateAsync(second, EngineHarness.Options(5))),
            resumed.Select(token => token.Id));
        Assert.InRange(harness.Engine.GetStatistics().StoredPrefixCount, 1, 100);
    }

    [Fact]
    public async Task GenerateAsync_RequestLosesItsMemory_GoesOnWhereItWas()
    {
        const int ReplyTokens = 1500;
        long reserved = tiny.Model.SlotBytes + (CacheLayout.PagesFor(1024 + 64) * tiny.Model.PageBytes);
        using EngineHarness harness = new(tiny, Options() with { MemoryBytes = 2 * reserved });
        int[][] alone = [await harness.AloneAsync(1, ReplyTokens), await harness.AloneAsync(2, ReplyTokens)];

        int[][] together = await Task.WhenAll(harness.AskAsync(1, ReplyTokens), harness.AskAsync(2, ReplyTokens));

        EngineStatistics statistics = harness.Engine.GetStatistics();
        Assert.True(statistics.PreemptedCount > 0, "Nothing had to give way, so the test shows nothing.");
        Assert.InRange(statistics.PromptTokenCount, 1, harness.Prompt(1).Length + harness.Prompt(2).Length + 50);
        Assert.Equal(alone, together);
    }

    [Fact]
    public async Task Files_OfARunningEngine_HaveNoNamesWhereSystemsAllowIt()
    {
        using EngineHarness harness = new(tiny, LittleMemory());
        for (int i = 0; i < 6; i++)
        {
            await harness.AskAsync(i);
        }

        await harness.Engine.WhenIdleAsync(TestContext.Current.CancellationToken);
        Assert.InRange(harness.Engine.GetStatistics().StoredPrefixBytes, 1, long.MaxValue);
        if (!OperatingSystem.IsWindows())
        {
            Assert.Empty(_folder.EnumerateFileSystemInfos());
        }
    }

    [Fact]
    public async Task GenerateAsync_FolderGone_ReadsAgain()
    {
        using EngineHarness harness = new(tiny, LittleMemory());
        _folder.Delete(recursive: true);
        int[] first = await harness.AskAsync(1);
        for (int other = 2; other < 6; other++)
        {
            await harness.AskAsync(other);
        }

        Assert.Equal(first, await harness.AskAsync(1));
        _folder.Create();
    }

    [Fact]
    public void Constructor_FolderThatCannotBe_Throws()
    {
        string file = Path.Combine(_folder.FullName, "file");
        File.WriteAllText(file, "");

        foreach (string path in (string[])[file, Path.Combine(file, "below"), ""])
        {
            IOException error = Assert.Throws<IOException>(
                () => new EngineHarness(tiny, new EngineOptions { PrefixFolder = path }));

            Assert.StartsWith($"The folder '{path}' for conversations", error.Message, StringComparison.Ordinal);
            Assert.Contains("Name another as PrefixFolder", error.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void PreparePrefixFolder_WhereNoFileCanBeMade_Throws()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Needs a folder in which nobody can make files.");
        EngineOptions options = new() { PrefixFolder = "/proc/self" };

        IOException error = Assert.Throws<IOException>(options.PreparePrefixFolder);

        Assert.StartsWith("The folder '/proc/self' for conversations", error.Message, StringComparison.Ordinal);
        (options with { ReusePrefixes = false }).PreparePrefixFolder();
        (options with { PrefixFolder = null }).PreparePrefixFolder();
    }

    [Fact]
    public void PreparePrefixFolder_FolderThatCanBe_IsMadeAndLeftEmpty()
    {
        string path = Path.Combine(_folder.FullName, "a", "b");

        new EngineOptions { PrefixFolder = path }.PreparePrefixFolder();

        Assert.Empty(Directory.EnumerateFileSystemEntries(path));
    }

    [Fact]
    public void Keep_MoreThanFits_LeastRecentlyUsedGo()
    {
        long bytes = tiny.Model.SnapshotBytes(20);
        using PrefixFolder folder = new(tiny.Model, _folder.FullName, 2 * bytes);
        Keep(folder, 1);
        Keep(folder, 2);
        StoredPrefix first = folder.Find(Tokens(1), 20)!;
        using (SequenceState? resumed = folder.Resume(first, _ => true))
        {
            Assert.Equal(20, resumed!.Length);
        }

        Keep(folder, 3);

        Assert.NotNull(folder.Find(Tokens(1), 20));
        Assert.Null(folder.Find(Tokens(2), 20));
        Assert.Null(folder.Find(Tokens(3), 19));
        Assert.NotNull(folder.Find(Tokens(3), 20));
        Assert.Equal((2, 2 * bytes), (folder.Count, folder.ByteCount));
    }

    // Each is an open file, of which a process has only so many.
    [Fact]
    public void Keep_MoreCopiesThanFilesMayBeOpen_LeastRecentlyUsedGo()
    {
        using PrefixFolder folder = new(tiny.Model, _folder.FullName, long.MaxValue);
        using SequenceState sequence = Read(0);
        int[] tokens = Tokens(0);
        for (int number = 0; number <= PrefixFolder.MaxCopies; number++)
        {
            // The first that wait to be written keep further ones out.
            tokens[^1] = number;
            StoredPrefix? kept = null;
            Assert.True(SpinWait.SpinUntil(
                () =>
                {
                    folder.Keep(tokens, sequence);
                    kept = folder.Find(tokens, tokens.Length);
                    return kept is not null;
                },
                TimeSpan.FromSeconds(30)));
        }

        Assert.Equal(PrefixFolder.MaxCopies, folder.Count);
        tokens[^1] = 0;
        Assert.Null(folder.Find(tokens, tokens.Length));
        tokens[^1] = 1;
        Assert.NotNull(folder.Find(tokens, tokens.Length));
    }

    // What gives way in memory for a copy that comes back goes to the folder itself.
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Resume_CopiesComeToTheFolderForItsRoom_GoesOnlyIfThereIsRoomForOneAlone(int room)
    {
        long bytes = tiny.Model.SnapshotBytes(20);
        using PrefixFolder folder = new(tiny.Model, _folder.FullName, room * bytes);
        for (int number = 1; number <= room; number++)
        {
            Keep(folder, number);
        }

        StoredPrefix first = folder.Find(Tokens(1), 20)!;
        using SequenceState? resumed = folder.Resume(first, MakeRoom);

        Assert.Equal(room == 1 ? null : 20, resumed?.Length);
        Assert.NotNull(folder.Find(Tokens(9), 20));
        Assert.Equal((room, room * bytes), (folder.Count, folder.ByteCount));

        bool MakeRoom(long needed)
        {
            Assert.Equal(bytes, needed);
            Keep(folder, 9);
            return true;
        }
    }

    [Theory]
    [InlineData(1, 3)]
    [InlineData(2, 3)]
    [InlineData(2, 4)]
    [InlineData(3, 4)]
    public async Task GenerateAsync_RoomForFewCopiesAnywhere_EveryTurnIsAnswered(int copiesInFolder, int pages)
    {
        using EngineHarness harness = new(tiny, Options() with
        {
            MemoryBytes = (2 * tiny.Model.SlotBytes) + (pages * tiny.Model.PageBytes),
            PrefixFolderBytes = copiesInFolder * tiny.Model.SnapshotBytes(128),
            MaxDraftTokens = 0,
        });
        int[][] prompts = [[.. Enumerable.Range(0, 100)], [.. Enumerable.Range(300, 100)]];
        for (int turn = 0; turn < 3; turn++)
        {
            for (int i = 0; i < prompts.Length; i++)
            {
                int[] reply = await AskAsync(harness.Engine.GenerateAsync);
                Assert.Equal(await AskAsync(tiny.CreateGenerator().GenerateAsync), reply);
                prompts[i] = [.. prompts[i], .. reply, 7];

                Task<int[]> AskAsync(Func<ReadOnlyMemory<int>, GenerationOptions?, CancellationToken, IAsyncEnumerable<GeneratedToken>> ask) =>
                    EngineHarness.ReadAsync(
                        ask(prompts[i], EngineHarness.Options(i, maxTokens: 9), TestContext.Current.CancellationToken));
            }
        }

        EngineStatistics statistics = harness.Engine.GetStatistics();
        Assert.Equal((6, 0), (statistics.CompletedCount, statistics.FailedCount));
        Assert.InRange(statistics.StoredPrefixBytes, 1, copiesInFolder * tiny.Model.SnapshotBytes(128));
    }

    [Fact]
    public void Write_ThenUse_GivesTheSameBytes()
    {
        using SequenceState sequence = Read(7);
        StateSnapshot snapshot = tiny.Model.Save(sequence);
        byte[] saved = snapshot.Bytes(0, (int)snapshot.ByteCount).ToArray();
        using StoredPrefix stored = new(Tokens(7), snapshot);
        byte[]? unwritten = null;
        byte[]? written = null;

        Assert.True(stored.Use(tiny.Model.CreateSnapshot, copy => unwritten = copy.Bytes(0, saved.Length).ToArray()));
        stored.Write(_folder.FullName);
        Assert.True(stored.Use(tiny.Model.CreateSnapshot, copy => written = copy.Bytes(0, saved.Length).ToArray()));

        Assert.Equal(saved, unwritten);
        Assert.Equal(saved, written);
    }

    [Fact]
    public void Write_FolderMissing_CopyIsLost()
    {
        using SequenceState sequence = Read(7);
        using StoredPrefix stored = new(Tokens(7), tiny.Model.Save(sequence));

        Assert.Throws<DirectoryNotFoundException>(() => stored.Write(Path.Combine(_folder.FullName, "missing")));

        Assert.False(stored.Use(tiny.Model.CreateSnapshot, _ => { }));
    }

    private static int[] Tokens(int number) => [.. Enumerable.Range(number * 100, 20)];

    private EngineOptions Options() => new() { PrefixFolder = _folder.FullName };

    // Room for one conversation at a time, so that each drives the copies of the one before out.
    private EngineOptions LittleMemory() =>
        Options() with { MemoryBytes = 2 * (tiny.Model.SlotBytes + (4 * tiny.Model.PageBytes)) };

    private SequenceState Read(int number)
    {
        SequenceState sequence = tiny.Model.CreateSequence();
        tiny.Model.Forward(sequence, Tokens(number), []);
        return sequence;
    }

    private void Keep(PrefixFolder folder, int number)
    {
        using SequenceState sequence = Read(number);
        folder.Keep(Tokens(number), sequence);
    }
}
