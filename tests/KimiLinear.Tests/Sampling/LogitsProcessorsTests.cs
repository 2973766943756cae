using KimiLinear.Sampling;
using Xunit;

namespace KimiLinear.Tests.Sampling;

public sealed class LogitsProcessorsTests
{
    private const int VocabularySize = 10;

    [Fact]
    public void Build_EverythingAsked_FollowsTheDocumentedOrder()
    {
        var options = new SamplingOptions
        {
            MinP = 0.1f,
            TopP = 0.9f,
            TopK = 5,
            Temperature = 0.5f,
            Processors = [new Recorder()],
            PresencePenalty = 1,
            RepetitionPenalty = 1.1f,
            LogitBias = new Dictionary<int, float> { [1] = 1 },
        };

        ILogitsProcessor[] chain = LogitsProcessors.Build(options, VocabularySize);

        Assert.Equal(
            [
                typeof(LogitBiasProcessor), typeof(RepetitionPenaltyProcessor), typeof(CountPenaltyProcessor),
                typeof(UserProcessor), typeof(TemperatureProcessor), typeof(TopKProcessor),
                typeof(TopPProcessor), typeof(MinPProcessor),
            ],
            chain.Select(processor => processor.GetType()));
    }

    [Fact]
    public void Build_NothingAsked_IsEmpty()
    {
        var options = new SamplingOptions { TopK = VocabularySize, LogitBias = new Dictionary<int, float>() };

        Assert.Empty(LogitsProcessors.Build(options, VocabularySize));
    }

    [Theory]
    [InlineData(0f, 0)]
    [InlineData(0.5f, 1)]
    public void Build_Greedy_LeavesOutWhatCannotChangeTheHighest(float temperature, int topK)
    {
        var options = new SamplingOptions
        {
            Temperature = temperature,
            TopK = topK,
            TopP = 0.5f,
            MinP = 0.5f,
            FrequencyPenalty = 1,
            Processors = [new Recorder()],
        };

        ILogitsProcessor[] chain = LogitsProcessors.Build(options, VocabularySize);

        Assert.Equal([typeof(CountPenaltyProcessor), typeof(UserProcessor)], chain.Select(processor => processor.GetType()));
    }

    [Fact]
    public void Process_UsersProcessor_SeesPenalisedButUnscaledLogits()
    {
        var recorder = new Recorder();
        var options = new SamplingOptions { Temperature = 0.1f, FrequencyPenalty = 1, TopK = 2, Processors = [recorder] };
        var sampler = new Sampler(options, vocabularySize: 3);

        sampler.Sample(new LogitsContext([7, 8], [2]), [5, 4, 3], out _);

        Assert.Equal([5, 4, 2], recorder.Logits);
        Assert.Equal([7, 8], recorder.Prompt);
        Assert.Equal([2], recorder.Generated);
    }

    private sealed class Recorder : ILogitsProcessor
    {
        public float[] Logits { get; private set; } = [];

        public int[] Prompt { get; private set; } = [];

        public int[] Generated { get; private set; } = [];

        public void Process(in LogitsContext context, Span<float> logits) =>
            (Logits, Prompt, Generated) =
                (logits.ToArray(), context.PromptTokenIds.ToArray(), context.GeneratedTokenIds.ToArray());
    }
}
