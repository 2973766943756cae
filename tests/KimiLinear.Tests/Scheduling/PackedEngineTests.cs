using System.Runtime.InteropServices;
using KimiLinear.Checkpoints;
using KimiLinear.Generation;
using KimiLinear.Model;
using KimiLinear.Sampling;
using KimiLinear.Scheduling;
using KimiLinear.Tests.Generation;
using KimiLinear.Tokenization;
using Xunit;

namespace KimiLinear.Tests.Scheduling;

/// <summary>
/// With weights of 4 bits, whose activations are rounded to integers, a reply is the same in any company: every score of it, to the
/// last bit.
/// </summary>
public sealed class PackedEngineTests : IDisposable
{
    private const int CallerCount = 64;

    private readonly KimiTokenizer _tokenizer = KimiTokenizer.Load(TinyModel.Directory);
    private readonly Dictionary<WeightFormat, KimiLinearModel> _models = [];

    public void Dispose()
    {
        foreach (KimiLinearModel model in _models.Values)
        {
            model.Dispose();
        }
    }

    // Pieces of prompts are shorter, and as long, and longer than a step in which 8 bits pay.
    [Theory]
    [InlineData(WeightFormat.Q4, 7)]
    [InlineData(WeightFormat.Q4, 512)]
    [InlineData(WeightFormat.Q4Q8, 32)]
    [InlineData(WeightFormat.Q8, 24)]
    public async Task GenerateAsync_ManyCallers_EveryScoreIsTheOneOfTheRequestAlone(WeightFormat format, int pieceTokens)
    {
        EngineOptions options = new() { ReusePrefixes = false, PieceTokens = pieceTokens, MaxDraftTokens = 0 };
        (int Id, ulong Scores)[][] alone = await AloneAsync(format, options, temperature: 1);

        await using GenerationEngine engine = CreateEngine(format, options);
        (int Id, ulong Scores)[][] together = await Task.WhenAll(
            Enumerable.Range(0, CallerCount).Select(i => AskAsync(engine, i, temperature: 1)));

        Assert.Equal(alone, together);
        EngineStatistics statistics = engine.GetStatistics();
        Assert.True(statistics.StepCount < CallerCount * 30 / 4, $"{statistics.StepCount} steps: requests were not computed together.");
    }

    [Fact]
    public async Task GenerateAsync_GuessesOfManyCallers_EveryScoreIsTheOneWithoutGuesses()
    {
        EngineOptions options = new() { ReusePrefixes = false };
        (int Id, ulong Scores)[][] alone = await AloneAsync(
            WeightFormat.Q4, options with { MaxDraftTokens = 0 }, temperature: 0, maxTokens: 60);

        // More than are read in one step where 8 bits pay.
        await using GenerationEngine engine = CreateEngine(WeightFormat.Q4, options with { MaxDraftTokens = 48 });
        (int Id, ulong Scores)[][] guessed = new (int, ulong)[CallerCount][];
        for (int i = 0; i < CallerCount; i++)
        {
            guessed[i] = await AskAsync(engine, i, temperature: 0, maxTokens: 60);
        }

        (int Id, ulong Scores)[][] together = await Task.WhenAll(
            Enumerable.Range(0, CallerCount).Select(i => AskAsync(engine, i, temperature: 0, maxTokens: 60)));

        Assert.True(engine.GetStatistics().GuessedTokenCount > 0, "Nothing was guessed, so the test shows nothing.");
        Assert.Equal(alone, guessed);
        Assert.Equal(alone, together);
    }

    // Where pieces take the same form of attention, as short ones behind others do, nothing else depends on where they begin.
    [Fact]
    public async Task GenerateAsync_PromptReadInOtherPiecesOrResumed_EveryScoreIsTheSame()
    {
        const int Callers = 12;
        EngineOptions options = new() { ReusePrefixes = false, PieceTokens = 2, MaxDraftTokens = 0 };
        (int Id, ulong Scores)[][] alone = await AloneAsync(WeightFormat.Q4, options, temperature: 1, callers: Callers, padding: 24);

        (int Id, ulong Scores)[][] byOnes = await AloneAsync(
            WeightFormat.Q4, options with { PieceTokens = 1 }, temperature: 1, callers: Callers, padding: 24);
        await using GenerationEngine engine = CreateEngine(WeightFormat.Q4, options with { ReusePrefixes = true });
        List<(int Id, ulong Scores)[]> resumed = [];
        for (int i = 0; i < Callers; i++)
        {
            resumed.Add(await AskAsync(engine, i, temperature: 1, padding: 24));
        }

        Assert.True(engine.GetStatistics().CachedPromptTokenCount > 0, "Nothing was resumed, so the test shows nothing.");
        Assert.Equal(alone, byOnes);
        Assert.Equal(alone, resumed);
    }

    private async Task<(int Id, ulong Scores)[][]> AloneAsync(
        WeightFormat format,
        EngineOptions options,
        double temperature,
        int maxTokens = 30,
        int callers = CallerCount,
        int? padding = null)
    {
        await using GenerationEngine engine = CreateEngine(format, options);
        var replies = new (int, ulong)[callers][];
        for (int i = 0; i < callers; i++)
        {
            replies[i] = await AskAsync(engine, i, temperature, maxTokens, padding);
        }

        return replies;
    }

    private GenerationEngine CreateEngine(WeightFormat format, EngineOptions options)
    {
        if (!_models.TryGetValue(format, out KimiLinearModel? model))
        {
            model = KimiLinearModel.Load(TinyModel.Directory, new ModelLoadOptions { Format = format, ThreadCount = 2 });
            _models.Add(format, model);
        }

        return new GenerationEngine(model, _tokenizer, defaults: null, options);
    }

    private async Task<(int Id, ulong Scores)[]> AskAsync(
        GenerationEngine engine, int number, double temperature, int maxTokens = 30, int? padding = null)
    {
        ScoreRecorder recorder = new();
        string beginning = string.Concat(Enumerable.Repeat("the weather in Paris, ", padding ?? (number % 7)));
        int[] prompt = _tokenizer.Encode(
            $"<|im_user|>user<|im_middle|>Tell me about {beginning}number {number}, please.<|im_end|>"
            + "<|im_assistant|>assistant<|im_middle|>",
            allowSpecialTokens: true);
        GenerationOptions options = new()
        {
            MaxTokens = maxTokens,
            StopTokenIds = [],
            SamplingOptions = new SamplingOptions
            {
                Seed = (ulong)number,
                Temperature = (float)temperature,
                Processors = [recorder],
            },
        };
        int[] ids = await EngineHarness.ReadAsync(engine.GenerateAsync(prompt, options, TestContext.Current.CancellationToken));
        return [.. ids.Zip(recorder.Scores)];
    }

    /// <summary>Keeps a hash of the scores of every token.</summary>
    private sealed class ScoreRecorder : ILogitsProcessor
    {
        public List<ulong> Scores { get; } = [];

        public void Process(in LogitsContext context, Span<float> logits)
        {
            const ulong Prime = 0x100000001b3;
            ulong hash = 0xcbf29ce484222325;
            foreach (uint bits in MemoryMarshal.Cast<float, uint>(logits))
            {
                hash = (hash ^ bits) * Prime;
            }

            Scores.Add(hash);
        }
    }
}
