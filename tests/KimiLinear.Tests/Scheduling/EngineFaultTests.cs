using KimiLinear.Backends;
using KimiLinear.Generation;
using KimiLinear.Model;
using KimiLinear.Scheduling;
using KimiLinear.Tests.Generation;
using KimiLinear.Tests.TestSupport;
using KimiLinear.Tokenization;
using Xunit;

namespace KimiLinear.Tests.Scheduling;

/// <summary>What breaks while a request is admitted or a prefix is kept costs that request or that copy, and nothing else.</summary>
public sealed class EngineFaultTests : IDisposable
{
    private readonly KimiTokenizer _tokenizer = KimiTokenizer.Load(TinyModel.Directory);
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("kimi-faults-");
    private readonly FaultyBackend _backend;
    private readonly KimiLinearModel _model;

    public EngineFaultTests() => _model = FaultyBackend.LoadModel(TinyModel.Directory, out _backend);

    public static TheoryData<string> Errors => ["memory", "broken"];

    public void Dispose()
    {
        _model.Dispose();
        _folder.Delete(recursive: true);
    }

    [Theory]
    [MemberData(nameof(Errors))]
    public async Task Admit_CopyOfThePrefixFails_EndsThatRequestWithTheErrorAndNoOther(string kind)
    {
        Exception error = ErrorOf(kind);
        int[] first = await AloneAsync(1), expectedOther = await AloneAsync(2);
        int[] nextTurn = [.. Prompt(1), .. first, .. Prompt(3)];
        int[] expected = await AloneAsync(nextTurn);
        using GenerationEngine engine = CreateEngine(new EngineOptions { ReadAheadTokens = 2 });
        Assert.Equal(first, await AskAsync(engine, 1));
        await using IAsyncEnumerator<GeneratedToken> other = Ask(engine, 2).GetAsyncEnumerator();
        Assert.True(await other.MoveNextAsync());
        // It is too far ahead of its reader to go on: no copy but the one for the next request is taken.
        await UntilAsync(() => engine.GetStatistics().PausedCount == 1);
        int kept = engine.GetStatistics().PrefixCount;

        _backend.CopyFault = () => error;
        Exception thrown = await Assert.ThrowsAnyAsync<Exception>(() => AskAsync(engine, nextTurn));
        _backend.CopyFault = null;

        Assert.Same(error, thrown);
        Assert.Equal(1, engine.GetStatistics().FailedCount);
        Assert.Equal(kept, engine.GetStatistics().PrefixCount);
        List<int> otherIds = [other.Current.Id];
        while (await other.MoveNextAsync())
        {
            otherIds.Add(other.Current.Id);
        }

        Assert.Equal(expectedOther, otherIds);
        Assert.Equal(expected, await AskAsync(engine, nextTurn));
        Assert.Equal(Prompt(1).Length + first.Length - 1, engine.GetStatistics().CachedPromptTokenCount);
        await RequireNothingHeldAsync(engine);
    }

    [Theory]
    [MemberData(nameof(Errors))]
    public async Task KeepPrefix_CopyFails_RequestsGoOnWithoutIt(string kind)
    {
        Exception error = ErrorOf(kind);
        int[][] expected = [await AloneAsync(1), await AloneAsync(2), await AloneAsync(3)];
        using GenerationEngine engine = CreateEngine(new EngineOptions());

        _backend.CopyFault = () => error;
        int[][] replies = await Task.WhenAll(AskAsync(engine, 1), AskAsync(engine, 2));
        await engine.WhenIdleAsync(TestContext.Current.CancellationToken);

        // The ends of two prompts and of two replies.
        Assert.Equal(4, _backend.FaultCount);
        Assert.Equal(expected[..2], replies);
        EngineStatistics statistics = engine.GetStatistics();
        Assert.Equal((2, 0, 0), (statistics.CompletedCount, statistics.FailedCount, statistics.PrefixCount));
        Assert.Equal(0, _model.SequenceCount);
        _backend.CopyFault = null;
        Assert.Equal(expected[2], await AskAsync(engine, 3));
        await RequireNothingHeldAsync(engine);
    }

    [Fact]
    public async Task KeepReply_CopyFails_ReplyIsWholeAndCountsOnce()
    {
        int[] expected = await AloneAsync(1);
        using GenerationEngine engine = CreateEngine(new EngineOptions());
        int copies = 0;

        _backend.CopyFault = () => ++copies == 2 ? new TimeoutException() : null;
        int[] reply = await AskAsync(engine, 1);
        await engine.WhenIdleAsync(TestContext.Current.CancellationToken);

        Assert.Equal(1, _backend.FaultCount);
        Assert.Equal(expected, reply);
        EngineStatistics statistics = engine.GetStatistics();
        Assert.Equal((1, 0, 1), (statistics.CompletedCount, statistics.FailedCount, _model.SequenceCount));
        await RequireNothingHeldAsync(engine);
    }

    [Theory]
    [MemberData(nameof(Errors))]
    public async Task Admit_PrefixThatGivesWayCannotBeSaved_ItsMemoryIsFreeAllTheSame(string kind)
    {
        Exception error = ErrorOf(kind);
        long bytes = 2 * (_model.SlotBytes + (2 * _model.PageBytes));
        using GenerationEngine engine = CreateEngine(
            new EngineOptions { MemoryBytes = bytes, PrefixFolder = _folder.FullName });

        _backend.SaveFault = () => error;
        for (int number = 1; number <= 4; number++)
        {
            Assert.Equal(await AloneAsync(number), await AskAsync(engine, number));
        }

        Assert.True(_backend.FaultCount > 0, "Nothing had to give way, so the test shows nothing.");
        EngineStatistics statistics = engine.GetStatistics();
        Assert.Equal((4, 0, 0), (statistics.CompletedCount, statistics.FailedCount, statistics.StoredPrefixCount));
        Assert.InRange(statistics.MemoryBytes, 0, bytes);
        await RequireNothingHeldAsync(engine);
    }

    [Theory]
    [MemberData(nameof(Errors))]
    public async Task Admit_CopyInAFileCannotBeRestored_PromptIsReadAgain(string kind)
    {
        Exception error = ErrorOf(kind);
        using GenerationEngine engine = CreateEngine(new EngineOptions
        {
            MemoryBytes = 2 * (_model.SlotBytes + (2 * _model.PageBytes)),
            PrefixFolder = _folder.FullName,
        });
        int[] first = await AskAsync(engine, 1);
        await AskAsync(engine, 2);
        await AskAsync(engine, 3);
        int[] nextTurn = [.. Prompt(1), .. first, .. Prompt(4)];

        _backend.RestoreFault = () => error;
        int[] reply = await AskAsync(engine, nextTurn);
        _backend.RestoreFault = null;

        Assert.True(_backend.FaultCount > 0, "Nothing was to be restored, so the test shows nothing.");
        Assert.Equal(await AloneAsync(nextTurn), reply);
        Assert.Equal(0, engine.GetStatistics().FailedCount);
        await RequireNothingHeldAsync(engine);
    }

    [Theory]
    [MemberData(nameof(Errors))]
    public async Task Preempt_RequestCannotBeSaved_IsReadAgainAndEndsTheSame(string kind)
    {
        const int ReplyTokens = 1500;
        Exception error = ErrorOf(kind);
        int[][] expected = [await AloneAsync(1, ReplyTokens), await AloneAsync(2, ReplyTokens)];
        long reserved = _model.SlotBytes + (CacheLayout.PagesFor(1024 + 64) * _model.PageBytes);
        using GenerationEngine engine = CreateEngine(
            new EngineOptions { MemoryBytes = 2 * reserved, PrefixFolder = _folder.FullName });

        _backend.SaveFault = () => error;
        int[][] together = await Task.WhenAll(AskAsync(engine, 1, ReplyTokens), AskAsync(engine, 2, ReplyTokens));

        Assert.True(engine.GetStatistics().PreemptedCount > 0, "Nothing had to give way, so the test shows nothing.");
        Assert.True(_backend.FaultCount > 0, "Nothing was to be saved, so the test shows nothing.");
        Assert.Equal(expected, together);
        Assert.Equal(0, engine.GetStatistics().FailedCount);
        await RequireNothingHeldAsync(engine);
    }

    [Theory]
    [MemberData(nameof(Errors))]
    public async Task Step_CopyForAGuessFails_RequestGoesOnWithoutTheGuess(string kind)
    {
        const int ReplyTokens = 200;
        Exception error = ErrorOf(kind);
        int[][] expected = [await AloneAsync(1, ReplyTokens), await AloneAsync(2, ReplyTokens)];
        using GenerationEngine engine = new(
            _model, _tokenizer, defaults: null, new EngineOptions { ReusePrefixes = false, MaxDraftTokens = 8 });

        _backend.CopyFault = () => error;
        int[][] replies = await Task.WhenAll(AskAsync(engine, 1, ReplyTokens), AskAsync(engine, 2, ReplyTokens));
        await engine.WhenIdleAsync(TestContext.Current.CancellationToken);

        Assert.True(_backend.FaultCount > 0, "Nothing was guessed, so the test shows nothing.");
        Assert.Equal(expected, replies);
        EngineStatistics statistics = engine.GetStatistics();
        Assert.Equal((2, 0, 0), (statistics.CompletedCount, statistics.FailedCount, statistics.GuessedTokenCount));
        Assert.Equal(0, _model.SequenceCount);
    }

    [Theory]
    [InlineData("memory", 0)]
    [InlineData("broken", 0)]
    [InlineData("broken", 8)]
    public async Task Step_Fails_EndsItsRequestsAndNoOther(string kind, int draftTokens)
    {
        Exception error = ErrorOf(kind);
        int[] first = await AloneAsync(1), expectedOther = await AloneAsync(2);
        int[] nextTurn = [.. Prompt(1), .. first, .. Prompt(3)];
        int[] expected = await AloneAsync(nextTurn);
        using GenerationEngine engine = new(
            _model, _tokenizer, defaults: null, new EngineOptions { ReadAheadTokens = 2, MaxDraftTokens = draftTokens });
        Assert.Equal(first, await AskAsync(engine, 1));
        await using IAsyncEnumerator<GeneratedToken> other = Ask(engine, 2).GetAsyncEnumerator();
        Assert.True(await other.MoveNextAsync());
        // It is too far ahead of its reader to go on, and in no step.
        await UntilAsync(() => engine.GetStatistics().GeneratedTokenCount >= first.Length + 1 + 2);

        // The step that fails is one in which something is guessed, or the one that reads the prompt.
        _backend.RunFault = () => draftTokens == 0 || HoldsCopyForAGuess() ? error : null;
        Exception thrown = await Assert.ThrowsAnyAsync<Exception>(() => draftTokens == 0
            ? AskAsync(engine, nextTurn)
            : EngineHarness.ReadAsync(engine.GenerateAsync(
                Enumerable.Range(0, 60).Select(i => 300 + (i % 5)).ToArray(),
                EngineHarness.Options(1, 2000) with { SamplingOptions = new() { Temperature = 0 } })));
        _backend.RunFault = null;

        Assert.Same(error, thrown);
        Assert.Equal(1, engine.GetStatistics().FailedCount);
        List<int> otherIds = [other.Current.Id];
        while (await other.MoveNextAsync())
        {
            otherIds.Add(other.Current.Id);
        }

        Assert.Equal(expectedOther, otherIds);
        Assert.Equal(expected, await AskAsync(engine, nextTurn));
        await RequireNothingHeldAsync(engine);

        // Kept prefixes, the two requests, and the copy from which one of them goes on if it has guessed wrong.
        bool HoldsCopyForAGuess() => _model.SequenceCount > engine.GetStatistics().PrefixCount + 2;
    }

    private static Exception ErrorOf(string kind) => kind switch
    {
        "memory" => new DeviceMemoryException("The card is full."),
        // One that no code expects.
        _ => new TimeoutException("The card is gone."),
    };

    // Guesses take copies too; without them, copies are those of prefixes alone.
    private GenerationEngine CreateEngine(EngineOptions options) =>
        new(_model, _tokenizer, defaults: null, options with { MaxDraftTokens = 0 });

    private int[] Prompt(int number) => _tokenizer.Encode(
        $"<|im_user|>user<|im_middle|>Tell me about number {number} and the weather in Paris, please.<|im_end|>"
        + "<|im_assistant|>assistant<|im_middle|>",
        allowSpecialTokens: true);

    private IAsyncEnumerable<GeneratedToken> Ask(GenerationEngine engine, int number, int maxTokens = 40) =>
        engine.GenerateAsync(Prompt(number), EngineHarness.Options(number, maxTokens), TestContext.Current.CancellationToken);

    private Task<int[]> AskAsync(GenerationEngine engine, int number, int maxTokens = 40) =>
        EngineHarness.ReadAsync(Ask(engine, number, maxTokens));

    private Task<int[]> AloneAsync(int number, int maxTokens = 40) => EngineHarness.ReadAsync(
        new TextGenerator(_model, _tokenizer).GenerateAsync(Prompt(number), EngineHarness.Options(number, maxTokens)));

    private static GenerationOptions TurnOptions => EngineHarness.Options(seed: 9);

    private static Task<int[]> AskAsync(GenerationEngine engine, int[] prompt) =>
        EngineHarness.ReadAsync(engine.GenerateAsync(prompt, TurnOptions, TestContext.Current.CancellationToken));

    private Task<int[]> AloneAsync(int[] prompt) => EngineHarness.ReadAsync(
        new TextGenerator(_model, _tokenizer).GenerateAsync(prompt, TurnOptions));

    private static async Task UntilAsync(Func<bool> holds)
    {
        using CancellationTokenSource limit = new(TimeSpan.FromSeconds(120));
        while (!holds())
        {
            await Task.Delay(5, limit.Token);
        }
    }

    // What is left belongs to kept prefixes, and is given back with them.
    private async Task RequireNothingHeldAsync(GenerationEngine engine)
    {
        await engine.WhenIdleAsync(TestContext.Current.CancellationToken);
        // The count of prefixes is published a moment later.
        await UntilAsync(() => engine.GetStatistics().PrefixCount == _model.SequenceCount);
        await engine.DisposeAsync();
        Assert.Equal((0, 0L), (_model.SequenceCount, _model.UsedSequenceBytes));
    }
}
