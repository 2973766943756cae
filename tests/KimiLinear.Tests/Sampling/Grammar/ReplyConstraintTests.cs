using System.Text.Json;
using KimiLinear.Sampling;
using KimiLinear.Tokenization;
using Xunit;

namespace KimiLinear.Tests.Sampling;

public sealed class ReplyConstraintTests
{
    private static readonly KimiTokenizer Tokenizer = GrammarVocabulary.Small;
    private static readonly int Stop = Tokenizer.GetSpecialTokenId("<|im_end|>");

    [Fact]
    public void Process_ReplyMayNotEndYet_ForbidsStopAndSpecialTokens()
    {
        float[] logits = LogitsAfter(Json("""{"type": "integer"}"""), "");

        Assert.Equal("-0123456789", Allowed(logits, length: 1));
        Assert.All(Enumerable.Range(Tokenizer.BaseVocabularySize, 256), id => Assert.Equal(float.NegativeInfinity, logits[id]));
    }

    [Fact]
    public void Process_ReplyMayEnd_AllowsStopWithItsScore()
    {
        float[] logits = LogitsAfter(Json("""{"type": "integer"}"""), "-12");

        Assert.Equal("0123456789", Allowed(logits, length: 1));
        Assert.Equal(Stop, logits[Stop]);
        Assert.Equal(1, logits.Skip(Tokenizer.BaseVocabularySize).Count(logit => logit > float.NegativeInfinity));
    }

    [Fact]
    public void Process_StopTokenThatIsText_ComesOnlyAtTheEnd()
    {
        int brace = Tokenizer.Encode("}").Single();
        ReplyGrammar grammar = Json("""{"type": "object", "properties": {}}""");

        float[] middle = LogitsAfter(grammar, "{", [brace]);
        float[] end = LogitsAfter(Json("""{"type": "integer"}"""), "1", [brace]);

        Assert.Equal(float.NegativeInfinity, middle[brace]);
        Assert.Equal(brace, end[brace]);
    }

    [Fact]
    public void Process_KnownStates_AllocatesNothing()
    {
        ReplyGrammar grammar = Json("""{"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": true}""");
        int[] reply = Tokenizer.Encode("{\"a\": \"the value is 世界\", \"bc\": [1, 2, {\"id\": null}]}");
        float[] logits = new float[Tokenizer.VocabularySize];
        Run(new ReplyConstraint(grammar, Tokenizer, [Stop]), reply, logits);
        ReplyConstraint second = new(grammar, Tokenizer, [Stop]);

        long before = GC.GetAllocatedBytesForCurrentThread();
        Run(second, reply, logits);

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);

        static void Run(ReplyConstraint constraint, int[] reply, float[] logits)
        {
            for (int i = 0; i <= reply.Length; i++)
            {
                constraint.Process(new LogitsContext([], reply.AsSpan(0, i)), logits);
            }
        }
    }

    [Theory]
    [InlineData("{\"ab\": 1, \"a", "\"", false)]
    [InlineData("{\"ab\": 1, \"ab", "\"", true)]
    [InlineData("{\"ab\": 1, \"", "ab", false)]
    [InlineData("{\"ab\": 1, \"b\": {\"ab", "\"", false)]
    [InlineData("{\"b\": {\"ab\": 1}, \"ab", "\"", false)]
    [InlineData("{\"ab\": [{\"x\": 1}], \"ab", "\"", true)]
    [InlineData("{\"a\\n\": 1, \"a\\n", "\"", true)]
    [InlineData("{\"ab\": \"ab", "\"", false)]
    public void Process_KeyThatWouldComeTwice_IsForbidden(string reply, string next, bool isForbidden)
    {
        float[] logits = LogitsAfter(Json("""{"type": "object"}"""), reply);

        Assert.Equal(isForbidden, float.IsNegativeInfinity(logits[Tokenizer.Encode(next).Single()]));
    }

    [Fact]
    public void Walk_AnyObject_HasNoKeyTwice()
    {
        // Few letters, so that keys would meet.
        KimiTokenizer tokenizer = GrammarVocabulary.Small;
        GrammarWalk walk = new(tokenizer, seed: 7);
        int[] keysOfReplies = new int[300];

        for (int i = 0; i < keysOfReplies.Length; i++)
        {
            string? reply = walk.Write(ReplyGrammar.Json(JsonGrammar.AnyObject), maxTokens: 1500, push: 0.03f);
            if (reply is not null)
            {
                JsonElement value = JsonElement.Parse(reply);
                Assert.False(SchemaValidator.HasKeyTwice(value), reply);
                keysOfReplies[i] = value.EnumerateObject().Count();
            }
        }

        Assert.InRange(keysOfReplies.Max(), 3, int.MaxValue);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void Sample_BiasAndPenaltiesForForbiddenTokens_DoNotLiftTheMask(float temperature)
    {
        ReplyConstraint constraint = new(Json("""{"enum": [7]}"""), Tokenizer, [Stop]);
        SamplingOptions options = new()
        {
            Temperature = temperature,
            RepetitionPenalty = 0.5f,
            FrequencyPenalty = -2,
            LogitBias = new Dictionary<int, float> { [Tokenizer.Encode("x")[0]] = float.PositiveInfinity, [Stop] = 1000 },
        };
        Sampler sampler = new(options, Tokenizer.VocabularySize, constraint: constraint);

        int first = sampler.Sample(new LogitsContext([], []), new float[Tokenizer.VocabularySize], out _);
        int second = sampler.Sample(new LogitsContext([], new[] { first }), new float[Tokenizer.VocabularySize], out _);

        Assert.Equal("7", Tokenizer.Decode([first]));
        Assert.Equal(Stop, second);
    }

    [Fact]
    public void Sample_EveryAllowedTokenForbiddenByBias_ThrowsNamingTheGrammar()
    {
        ReplyConstraint constraint = new(Json("""{"enum": [7]}"""), Tokenizer, [Stop]);
        SamplingOptions options = new() { LogitBias = new Dictionary<int, float> { [Tokenizer.Encode("7")[0]] = float.NegativeInfinity } };
        Sampler sampler = new(options, Tokenizer.VocabularySize, constraint: constraint);

        var thrown = Assert.Throws<InvalidOperationException>(
            () => sampler.Sample(new LogitsContext([], []), new float[Tokenizer.VocabularySize], out _));

        Assert.Contains("that the grammar of the reply allows next", thrown.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Constructor_NoStopToken_Throws() =>
        Assert.Throws<ArgumentException>(() => new ReplyConstraint(Json("true"), Tokenizer, []));

    [Fact]
    public void Process_TokenThatTheGrammarForbids_Throws()
    {
        Assert.Throws<InvalidOperationException>(() => LogitsAfter(Json("""{"type": "integer"}"""), "x"));
    }

    private static ReplyGrammar Json(string schema) => ReplyGrammar.Json(JsonGrammar.Compile(JsonElement.Parse(schema)));

    // Scores that are the ids, so that a score that moved shows.
    private static float[] LogitsAfter(ReplyGrammar grammar, string reply, int[]? stops = null)
    {
        float[] logits = [.. Enumerable.Range(0, Tokenizer.VocabularySize)];
        new ReplyConstraint(grammar, Tokenizer, stops ?? [Stop]).Process(new LogitsContext([], Tokenizer.Encode(reply)), logits);
        Assert.All(logits.Index(), pair => Assert.True(pair.Item == pair.Index || float.IsNegativeInfinity(pair.Item)));
        return logits;
    }

    private static string Allowed(float[] logits, int length) => string.Concat(
        Enumerable.Range(0, Tokenizer.BaseVocabularySize)
            .Where(id => logits[id] > float.NegativeInfinity && Tokenizer.GetBytes(id).Length == length)
            .Select(id => Tokenizer.Decode([id])).Order(StringComparer.Ordinal));
}
