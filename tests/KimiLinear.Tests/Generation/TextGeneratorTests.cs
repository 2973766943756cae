using KimiLinear.Configuration;
using KimiLinear.Generation;
using KimiLinear.Model;
using KimiLinear.Sampling;
using Xunit;

namespace KimiLinear.Tests.Generation;

public sealed class TextGeneratorTests(TinyModel tiny) : IClassFixture<TinyModel>
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private static readonly SamplingOptions Greedy = new() { Temperature = 0 };

    [Fact]
    public async Task GenerateAsync_QuestionTheModelWasTrainedOn_AnswersAndEndsItsTurn()
    {
        List<GeneratedToken> tokens = await ReadAll(tiny.Ask("Hello"), new GenerationOptions { SamplingOptions = Greedy });

        Assert.Equal("Hello! How can I help you today?", Text(tokens));
        Assert.Equal(FinishReason.EndOfText, tokens[^1].FinishReason);
        Assert.All(tokens.SkipLast(1), token => Assert.Null(token.FinishReason));
        Assert.Equal(tokens.Count, tokens[^1].Timings?.GeneratedTokenCount);
        Assert.Equal(0, tiny.Model.SequenceCount);
    }

    [Fact]
    public async Task GenerateAsync_StopSequence_EndsBeforeIt()
    {
        var options = new GenerationOptions { SamplingOptions = Greedy, StopSequences = ["How can"] };

        List<GeneratedToken> tokens = await ReadAll(tiny.Ask("Hello"), options);

        Assert.Equal("Hello! ", Text(tokens));
        Assert.Equal(FinishReason.StopSequence, tokens[^1].FinishReason);
    }

    [Fact]
    public async Task GenerateAsync_SeveralAtOnce_GiveWhatEachGivesAlone()
    {
        (int[] Prompt, GenerationOptions Options)[] requests =
        [
            .. new[] { "Hello", "Who are you?", "Count from 1 to 5." }.Select((text, i) => (
                tiny.Ask(text),
                new GenerationOptions { MaxTokens = 6, SamplingOptions = new() { Seed = (ulong)i, Temperature = 1.5f } })),
        ];
        List<int[]> alone = [];
        foreach ((int[] prompt, GenerationOptions options) in requests)
        {
            alone.Add(Ids(await ReadAll(prompt, options)));
        }

        List<GeneratedToken>[] together = await Task.WhenAll(
            requests.Select(request => ReadAll(request.Prompt, request.Options)));

        Assert.Equal(alone, together.Select(Ids));
    }

    [Fact]
    public async Task GenerateAsync_EnumeratedTwice_RunsTwice()
    {
        var options = new GenerationOptions { SamplingOptions = Greedy, MaxTokens = 2 };
        IAsyncEnumerable<GeneratedToken> reply = tiny.CreateGenerator().GenerateAsync(tiny.Ask("Hello"), options);

        int[] first = Ids(await reply.ToListAsync());
        int[] second = Ids(await reply.ToListAsync());

        Assert.Equal(first, second);
    }

    [Fact]
    public void GenerateAsync_EmptyPrompt_ThrowsAtOnce()
    {
        var thrown = Assert.Throws<ArgumentException>(() => tiny.CreateGenerator().GenerateAsync(default));

        Assert.Equal("promptTokenIds", thrown.ParamName);
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(1536)]
    public void GenerateAsync_UnknownTokenId_ThrowsAtOnceNamingIdAndIndex(int tokenId)
    {
        var thrown = Assert.Throws<ArgumentOutOfRangeException>(
            () => tiny.CreateGenerator().GenerateAsync(new[] { 5, 6, tokenId }));

        Assert.Equal(tokenId, thrown.ActualValue);
        Assert.Contains("index 2", thrown.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void GenerateAsync_LogitBiasForAnUnknownToken_ThrowsAtOnce()
    {
        var sampling = new SamplingOptions { LogitBias = new Dictionary<int, float> { [1536] = 1 } };

        Assert.Throws<ArgumentOutOfRangeException>(
            () => tiny.CreateGenerator().GenerateAsync(new[] { 5 }, new GenerationOptions { SamplingOptions = sampling }));
    }

    [Fact]
    public async Task GenerateAsync_SmallContext_RefusesLongerPromptsAndEndsWhenItIsFull()
    {
        using var folder = ShortContextModel.Create(contextTokens: 10);
        using KimiLinearModel model = KimiLinearModel.Load(folder.Path);
        var generator = new TextGenerator(model, tiny.Tokenizer);
        var options = new GenerationOptions { SamplingOptions = Greedy, StopTokenIds = [] };
        int[] prompt = [.. Enumerable.Range(65, 11)];

        var thrown = Assert.Throws<ArgumentException>(() => generator.GenerateAsync(prompt));
        List<GeneratedToken> short8 = await generator.GenerateAsync(prompt.AsMemory(0, 8), options).ToListAsync();
        List<GeneratedToken> full10 = await generator.GenerateAsync(prompt.AsMemory(0, 10), options).ToListAsync();

        Assert.StartsWith(
            "The prompt has 11 tokens, but the model accepts at most 10.", thrown.Message, StringComparison.Ordinal);
        Assert.Equal((3, FinishReason.ContextLimit), (short8.Count, short8[^1].FinishReason));
        Assert.Equal((1, FinishReason.ContextLimit), (full10.Count, full10[^1].FinishReason));
    }

    [Fact]
    public async Task GenerateAsync_ReaderLeavesEarly_GivesTheSequenceBack()
    {
        var options = new GenerationOptions { SamplingOptions = Greedy, StopTokenIds = [] };

        await foreach (GeneratedToken _ in tiny.CreateGenerator().GenerateAsync(tiny.Ask("Hello"), options))
        {
            break;
        }

        Assert.Equal(0, tiny.Model.SequenceCount);
    }

    [Fact]
    public async Task GenerateAsync_CancelledWhileDecoding_ThrowsWithTheCallersToken()
    {
        var options = new GenerationOptions { SamplingOptions = Greedy, StopTokenIds = [] };
        using var cancellation = new CancellationTokenSource();
        IAsyncEnumerable<GeneratedToken> reply =
            tiny.CreateGenerator().GenerateAsync(tiny.Ask("Hello"), options, cancellation.Token);
        int readCount = 0;

        var thrown = await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (GeneratedToken _ in reply)
            {
                readCount++;
                await Task.Delay(100);
                await cancellation.CancelAsync();
            }
        });

        Assert.Equal(1, readCount);
        Assert.Equal(cancellation.Token, thrown.CancellationToken);
        Assert.Equal(0, tiny.Model.SequenceCount);
    }

    [Fact]
    public async Task GenerateAsync_CancelledWhileReadingThePrompt_StopsBetweenTwoPieces()
    {
        int[] prompt = [.. Enumerable.Repeat(65, 100_000)];
        using var cancellation = new CancellationTokenSource(TimeSpan.FromMilliseconds(200));
        IAsyncEnumerable<GeneratedToken> reply = tiny.CreateGenerator()
            .GenerateAsync(prompt, new GenerationOptions { PrefillChunkTokens = 1 }, cancellation.Token);

        var thrown = await Assert.ThrowsAnyAsync<OperationCanceledException>(
            async () => await reply.ToListAsync().AsTask().WaitAsync(Patience));

        Assert.Equal(cancellation.Token, thrown.CancellationToken);
        Assert.Equal(0, tiny.Model.SequenceCount);
    }

    [Fact]
    public async Task GenerateAsync_ReaderFallsBehind_PausesAfterAFewTokens()
    {
        var probe = new Probe();
        var options = new GenerationOptions { SamplingOptions = Greedy with { Processors = [probe] }, StopTokenIds = [] };
        await using IAsyncEnumerator<GeneratedToken> reply =
            tiny.CreateGenerator().GenerateAsync(tiny.Ask("Hello"), options).GetAsyncEnumerator();
        await reply.MoveNextAsync();

        // One read, sixteen in the channel, one waiting to get in.
        Assert.True(SpinWait.SpinUntil(() => probe.Calls == 18, Patience), $"{probe.Calls} tokens were computed.");
        await Task.Delay(TimeSpan.FromMilliseconds(500));

        Assert.Equal(18, probe.Calls);
    }

    [Fact]
    public async Task GenerateAsync_AnyReader_ComputesOnAThreadOfItsOwn()
    {
        var probe = new Probe();
        var options = new GenerationOptions { SamplingOptions = Greedy with { Processors = [probe] }, MaxTokens = 2 };

        await ReadAll(tiny.Ask("Hello"), options);

        Assert.Equal(2, probe.Calls);
        Assert.False(probe.SawPoolThread);
    }

    [Fact]
    public async Task GenerateAsync_ProcessorThrows_PassesItOnAndGivesTheSequenceBack()
    {
        var options = new GenerationOptions { SamplingOptions = Greedy with { Processors = [new Thrower()] } };

        var thrown = await Assert.ThrowsAsync<NotSupportedException>(() => ReadAll(tiny.Ask("Hello"), options));

        Assert.Equal("no more", thrown.Message);
        Assert.Equal(0, tiny.Model.SequenceCount);
    }

    [Fact]
    public void DefaultStopTokenIds_FilesAndNames_AreGatheredOnce()
    {
        var generator = new TextGenerator(tiny.Model, tiny.Tokenizer, new GenerationConfig { EosTokenIds = [7, 1282] });

        Assert.Equal([7, 1281, 1282, 1289], generator.DefaultStopTokenIds);
    }

    [Fact]
    public void DefaultSamplingOptions_Recommendation_IsTakenOver()
    {
        var generator = new TextGenerator(tiny.Model, tiny.Tokenizer, new GenerationConfig { Temperature = 0.6f });

        Assert.Equal(0.6f, generator.DefaultSamplingOptions.Temperature);
    }

    private async Task<List<GeneratedToken>> ReadAll(int[] prompt, GenerationOptions options) =>
        await tiny.CreateGenerator().GenerateAsync(prompt, options).ToListAsync().AsTask().WaitAsync(Patience);

    private static int[] Ids(IEnumerable<GeneratedToken> tokens) => [.. tokens.Select(token => token.Id)];

    private static string Text(IEnumerable<GeneratedToken> tokens) => string.Concat(tokens.Select(token => token.Text));

    private sealed class Probe : ILogitsProcessor
    {
        private int _calls;

        public int Calls => Volatile.Read(ref _calls);

        public bool SawPoolThread { get; private set; }

        public void Process(in LogitsContext context, Span<float> logits)
        {
            Interlocked.Increment(ref _calls);
            SawPoolThread |= Thread.CurrentThread.IsThreadPoolThread;
        }
    }

    private sealed class Thrower : ILogitsProcessor
    {
        public void Process(in LogitsContext context, Span<float> logits) => throw new NotSupportedException("no more");
    }
}
