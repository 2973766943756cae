using KimiLinear.Caching;
using KimiLinear.Generation;
using KimiLinear.Sampling;
using Xunit;

namespace KimiLinear.Tests.Generation;

public sealed class GenerationRunTests(TinyModel tiny) : IClassFixture<TinyModel>
{
    private static readonly SamplingOptions Greedy = new() { Temperature = 0 };

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(512)]
    public void MoveNext_AnyPrefillPieces_GivesTheTokensOfTheWholeTextReadAnew(int prefillChunkTokens)
    {
        const int Count = 3;
        int[] prompt = tiny.Ask("Hello");
        var options = new GenerationOptions
        {
            SamplingOptions = Greedy,
            MaxTokens = Count,
            PrefillChunkTokens = prefillChunkTokens,
        };

        using var run = new GenerationRun(tiny.Model, tiny.Tokenizer, prompt, options);
        List<GeneratedToken> tokens = [];
        while (run.MoveNext(CancellationToken.None))
        {
            tokens.Add(run.Current);
        }

        Assert.Equal(GreedyByReadingEverythingAnew(prompt, Count), tokens.Select(token => token.Id));
    }

    [Fact]
    public void MoveNext_AfterTheEnd_StaysAtTheEnd()
    {
        var options = new GenerationOptions { SamplingOptions = Greedy, MaxTokens = 1 };
        using var run = new GenerationRun(tiny.Model, tiny.Tokenizer, tiny.Ask("Hello"), options);

        Assert.True(run.MoveNext(CancellationToken.None));
        Assert.False(run.MoveNext(CancellationToken.None));
        Assert.False(run.MoveNext(CancellationToken.None));

        Assert.Equal(FinishReason.MaxTokens, run.Current.FinishReason);
    }

    [Fact]
    public void MoveNext_LastToken_CarriesTheTimings()
    {
        int[] prompt = tiny.Ask("Hello");
        var options = new GenerationOptions { SamplingOptions = Greedy, MaxTokens = 3 };
        using var run = new GenerationRun(tiny.Model, tiny.Tokenizer, prompt, options);

        run.MoveNext(CancellationToken.None);
        Assert.Null(run.Current.Timings);
        while (run.MoveNext(CancellationToken.None))
        {
        }

        GenerationTimings? timings = run.Current.Timings;
        Assert.NotNull(timings);
        Assert.Equal((prompt.Length, 3), (timings.PromptTokenCount, timings.GeneratedTokenCount));
        Assert.True(timings.TimeToFirstToken > TimeSpan.Zero);
        Assert.True(timings.DecodeDuration > TimeSpan.Zero);
        Assert.True(double.IsFinite(timings.DecodeTokensPerSecond));
    }

    [Fact]
    public void MoveNext_Cancelled_ThrowsBeforeComputingAndGoesOnAfterwards()
    {
        int[] prompt = tiny.Ask("Hello");
        var options = new GenerationOptions { SamplingOptions = Greedy, MaxTokens = 2 };
        using var run = new GenerationRun(tiny.Model, tiny.Tokenizer, prompt, options);
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();

        var thrown = Assert.Throws<OperationCanceledException>(() => run.MoveNext(cancelled.Token));
        Assert.Equal(cancelled.Token, thrown.CancellationToken);
        Assert.True(run.MoveNext(CancellationToken.None));
        Assert.Throws<OperationCanceledException>(() => run.MoveNext(cancelled.Token));
        int first = run.Current.Id;
        Assert.True(run.MoveNext(CancellationToken.None));

        int[] tokenIds = [first, run.Current.Id];
        Assert.Equal(GreedyByReadingEverythingAnew(prompt, 2), tokenIds);
    }

    [Fact]
    public void MoveNext_SteadyState_AllocatesNothing()
    {
        // Demanding one token keeps the text the same, so that its string exists already.
        const int Demanded = 65;
        const int WarmUpSteps = 20;
        const int MeasuredSteps = 150;
        var options = new GenerationOptions
        {
            SamplingOptions = new SamplingOptions
            {
                TopP = 0.9f,
                FrequencyPenalty = 0.1f,
                LogitBias = new Dictionary<int, float> { [Demanded] = float.PositiveInfinity },
            },
            StopSequences = ["never written"],
            IncludeLogProbabilities = true,
        };
        int[] prompt = tiny.Ask("Hello");
        using var run = new GenerationRun(tiny.Model, tiny.Tokenizer, prompt, options);

        // Memory for a longer context than ever before is taken from the system once, and kept for the next conversation.
        using (SequenceState longest = tiny.Model.CreateSequence())
        {
            tiny.Model.Forward(longest, Enumerable.Repeat(Demanded, prompt.Length + WarmUpSteps + MeasuredSteps).ToArray(), []);
        }

        for (int i = 0; i < WarmUpSteps; i++)
        {
            run.MoveNext(CancellationToken.None);
        }

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < MeasuredSteps; i++)
        {
            run.MoveNext(CancellationToken.None);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.Equal(Demanded, run.Current.Id);
    }

    [Fact]
    public void Dispose_MidReply_GivesTheSequenceBack()
    {
        var options = new GenerationOptions { SamplingOptions = Greedy };
        var run = new GenerationRun(tiny.Model, tiny.Tokenizer, tiny.Ask("Hello"), options);
        run.MoveNext(CancellationToken.None);
        Assert.Equal(1, tiny.Model.SequenceCount);

        run.Dispose();

        Assert.Equal(0, tiny.Model.SequenceCount);
    }

    private int[] GreedyByReadingEverythingAnew(int[] prompt, int count)
    {
        List<int> tokenIds = [.. prompt];
        float[] logits = new float[tiny.Model.Config.VocabularySize];
        for (int i = 0; i < count; i++)
        {
            using SequenceState sequence = tiny.Model.CreateSequence();
            tiny.Model.Forward(sequence, tokenIds.ToArray(), logits);
            tokenIds.Add(Array.IndexOf(logits, logits.Max()));
        }

        return [.. tokenIds.Skip(prompt.Length)];
    }
}
