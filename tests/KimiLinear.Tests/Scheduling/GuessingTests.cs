using KimiLinear.Generation;
using KimiLinear.Sampling;
using KimiLinear.Scheduling;
using KimiLinear.Tests.Generation;
using Xunit;

namespace KimiLinear.Tests.Scheduling;

/// <summary>Tokens guessed from what stood before: they change how fast a reply comes, and nothing else.</summary>
public sealed class GuessingTests(TinyModel tiny) : IClassFixture<TinyModel>
{
    [Theory]
    [InlineData("4 5 6 6 1 2 3 4 5 6", "6 1 2")]
    [InlineData("9 1 2 3 7 1 2 3", "7 1 2")]
    [InlineData("1 2 3 4 1 2 3 5 1 2 3", "5 1 2")]
    [InlineData("4 4 4 4 4", "4 4 4")]
    [InlineData("8 5 6 7 5 6 7", "5 6 7")]
    public void Guess_TextThatRepeats_GoesOnAsBefore(string text, string expected)
    {
        int[] tokens = Numbers(text);
        int[] draft = new int[3];

        int count = PromptLookup.Guess(tokens, draft);

        Assert.Equal(3, count);
        Assert.Equal(Numbers(expected), draft);
    }

    [Theory]
    [InlineData("1 2 3 4 5 6")]
    [InlineData("1 2 3")]
    [InlineData("1 2 3 9 2 3")]
    [InlineData("")]
    public void Guess_EndThatIsNew_IsNone(string text) => Assert.Equal(0, PromptLookup.Guess(Numbers(text), new int[3]));

    [Fact]
    public void Next_GuessesAllRight_BecomeLonger()
    {
        DraftLength length = new();
        int first = length.Next(0.1, 1, most: 100);
        length.Learn(first, first);

        Assert.Equal(2 * first, length.Next(0.1, 1, most: 100));
        Assert.Equal(3, length.Next(0.1, 1, most: 3));
    }

    [Fact]
    public void Next_GuessesAllWrong_PausesAndTriesAgain()
    {
        DraftLength length = new();
        for (int i = 0; i < 10; i++)
        {
            length.Learn(4, 0);
        }

        int[] lengths = [.. Enumerable.Range(0, 200).Select(_ => length.Next(0.5, 1, most: 8))];

        Assert.Equal(3, lengths.Count(most => most == 2));
        Assert.Equal(197, lengths.Count(most => most == 0));
    }

    [Fact]
    public void Next_TokenCostsMoreThanItSaves_IsNone() => Assert.Equal(0, new DraftLength().Next(1, 1, most: 8));

    [Theory]
    [InlineData(0, 1)]
    [InlineData(0, 4)]
    [InlineData(0.7, 4)]
    public async Task GenerateAsync_RepliesThatRepeat_AreThoseWithoutGuesses(double temperature, int callers)
    {
        using EngineHarness plain = new(tiny, new EngineOptions { MaxDraftTokens = 0 });
        using EngineHarness guessing = new(tiny);
        int[][] expected = await Task.WhenAll(Enumerable.Range(0, callers).Select(i => AskAsync(plain, i, temperature)));

        int[][] replies = await Task.WhenAll(Enumerable.Range(0, callers).Select(i => AskAsync(guessing, i, temperature)));

        EngineStatistics statistics = guessing.Engine.GetStatistics();
        Assert.Equal(expected, replies);
        Assert.Equal(0, plain.Engine.GetStatistics().GuessedTokenCount);
        Assert.InRange(statistics.GuessedTokenCount, 1, long.MaxValue);
        Assert.InRange(statistics.RightlyGuessedTokenCount, temperature == 0 ? 1 : 0, statistics.GuessedTokenCount);
        Assert.Equal(replies.Sum(reply => reply.Length), statistics.GeneratedTokenCount);
    }

    [Fact]
    public async Task GenerateAsync_EveryLengthOfReply_EndsThereAndLeavesNothingBehind()
    {
        using (EngineHarness harness = new(tiny, new EngineOptions { ReusePrefixes = false }))
        {
            int[] whole = await AskAsync(harness, 0, temperature: 0, maxTokens: 160);
            for (int length = 100; length < 160; length += 3)
            {
                Assert.Equal(whole[..length], await AskAsync(harness, 0, temperature: 0, length));
            }

            await harness.Engine.WhenIdleAsync(TestContext.Current.CancellationToken);
            Assert.InRange(harness.Engine.GetStatistics().GuessedTokenCount, 1, long.MaxValue);
            Assert.Equal(0, tiny.Model.SequenceCount);
        }
    }

    [Fact]
    public async Task GenerateAsync_MemoryFullOfKeptPrefixes_GuessesAllTheSame()
    {
        long bytes = 6 * (tiny.Model.SlotBytes + (3 * tiny.Model.PageBytes));
        using EngineHarness plain = new(tiny, new EngineOptions { MaxDraftTokens = 0 });
        int[] expected = await AskAsync(plain, 0, temperature: 0, maxTokens: 100);
        using EngineHarness harness = new(tiny, new EngineOptions { MemoryBytes = bytes });
        for (int i = 0; i < 12; i++)
        {
            await harness.AskAsync(i, maxTokens: 5);
        }

        await harness.Engine.WhenIdleAsync(TestContext.Current.CancellationToken);
        long guessedBefore = harness.Engine.GetStatistics().GuessedTokenCount;
        // Of each request the ends of its prompt and of its reply were kept.
        Assert.InRange(harness.Engine.GetStatistics().PrefixCount, 1, 12);

        int[] reply = await AskAsync(harness, 0, temperature: 0, maxTokens: 100);

        EngineStatistics statistics = harness.Engine.GetStatistics();
        Assert.Equal(expected, reply);
        Assert.InRange(statistics.GuessedTokenCount, guessedBefore + 1, long.MaxValue);
        Assert.InRange(statistics.MemoryBytes, 1, bytes);
        Assert.Equal(0, statistics.PreemptedCount);
    }

    [Fact]
    public async Task GenerateAsync_GuessesBeyondMemory_AreNotMade()
    {
        long bytes = (2 * tiny.Model.SlotBytes) + (10 * tiny.Model.PageBytes);
        using EngineHarness plain = new(tiny, new EngineOptions { MaxDraftTokens = 0, ReusePrefixes = false });
        int[] expected = await AskAsync(plain, 0, temperature: 0, maxTokens: 550);
        using EngineHarness harness = new(tiny, new EngineOptions { MemoryBytes = bytes, MaxDraftTokens = 400, ReusePrefixes = false });

        int[] reply = await AskAsync(harness, 0, temperature: 0, maxTokens: 550);

        Assert.Equal(expected, reply);
        Assert.InRange(harness.Engine.GetStatistics().GuessedTokenCount, 100, long.MaxValue);
    }

    [Fact]
    public async Task GenerateAsync_ContextEndsInAGuess_EndsForThatReason()
    {
        using EngineHarness harness = new(tiny, new EngineOptions { MaxContextTokens = 200 });

        int[] reply = await AskAsync(harness, 0, temperature: 0, maxTokens: 1000);

        Assert.Equal(200, Prompt(0).Length + reply.Length - 1);
    }

    [Fact]
    public async Task GenerateAsync_ConversationGoesOnAfterGuesses_IsResumedWhole()
    {
        using EngineHarness harness = new(tiny);
        int[] reply = await AskAsync(harness, 0, temperature: 0);
        int[] second = [.. Prompt(0), .. reply, .. tiny.Ask("And in Rome?")];
        GenerationOptions options = EngineHarness.Options(3, maxTokens: 20);

        List<GeneratedToken> resumed = await harness.Engine
            .GenerateAsync(second, options, TestContext.Current.CancellationToken).ToListAsync(TestContext.Current.CancellationToken);

        Assert.InRange(resumed[^1].Timings!.CachedPromptTokenCount, Prompt(0).Length + 1, Prompt(0).Length + reply.Length);
        Assert.Equal(
            await EngineHarness.ReadAsync(tiny.CreateGenerator().GenerateAsync(second, options)), resumed.Select(token => token.Id));
    }

    private static int[] Numbers(string text) =>
        [.. text.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(number => int.Parse(number, null))];

    private static Task<int[]> AskAsync(EngineHarness harness, int number, double temperature, int maxTokens = 300) =>
        EngineHarness.ReadAsync(harness.Engine.GenerateAsync(Prompt(number), new GenerationOptions
        {
            MaxTokens = maxTokens,
            StopTokenIds = [],
            SamplingOptions = new SamplingOptions { Temperature = (float)temperature, Seed = (ulong)number },
        }));

    // A few tokens over and over, which the model goes on with.
    private static int[] Prompt(int number) => [.. Enumerable.Range(0, 60).Select(i => 300 + number + (i % 5))];
}
