using KimiLinear.Generation;
using KimiLinear.Sampling;
using KimiLinear.Tokenization;
using Xunit;

namespace KimiLinear.Tests.Generation;

/// <summary>Feeds a reply hand-made logits, so that every token in it is known beforehand.</summary>
public sealed class ReplyTests
{
    private const int VocabularySize = 1536;

    private static readonly KimiTokenizer Tokenizer = KimiTokenizer.Load(TinyModel.Directory);

    private static readonly SamplingOptions Greedy = new() { Temperature = 0 };

    private static readonly int EndOfTurn = Tokenizer.GetSpecialTokenId("<|im_end|>");

    [Fact]
    public void Next_StopToken_EndsWithoutText()
    {
        Reply reply = Start(new GenerationOptions { StopTokenIds = [EndOfTurn], IncludeSpecialTokens = true });

        GeneratedToken[] tokens = Feed(reply, [.. Tokenizer.Encode("Hi"), EndOfTurn]);

        Assert.Equal("Hi", Text(tokens));
        Assert.Equal(FinishReason.EndOfText, tokens[^1].FinishReason);
        Assert.Equal(EndOfTurn, tokens[^1].Id);
        Assert.All(tokens[..^1], token => Assert.Null(token.FinishReason));
    }

    [Theory]
    [InlineData(false, "AB")]
    [InlineData(true, "A<|im_middle|>B")]
    public void Next_SpecialToken_AppearsOnlyWhenAsked(bool include, string expected)
    {
        Reply reply = Start(new GenerationOptions { IncludeSpecialTokens = include });

        GeneratedToken[] tokens = Feed(reply, Tokenizer.Encode("A<|im_middle|>B", allowSpecialTokens: true));

        Assert.Equal(expected, Text(tokens));
    }

    [Fact]
    public void Next_MaxTokens_EndsOnTheLastOneAndShowsWhatWasHeldBack()
    {
        int[] ids = Tokenizer.Encode("one two");
        Reply reply = Start(new GenerationOptions { MaxTokens = ids.Length, StopSequences = ["two three"] });

        GeneratedToken[] tokens = Feed(reply, ids);

        Assert.Equal("one two", Text(tokens));
        Assert.Equal(FinishReason.MaxTokens, tokens[^1].FinishReason);
        Assert.All(tokens[..^1], token => Assert.Null(token.FinishReason));
    }

    [Fact]
    public void Next_StopTokenAtTheTokenLimit_IsTheEndOfTheText()
    {
        Reply reply = Start(new GenerationOptions { MaxTokens = 1, StopTokenIds = [EndOfTurn] });

        GeneratedToken[] tokens = Feed(reply, [EndOfTurn]);

        Assert.Equal(FinishReason.EndOfText, tokens[0].FinishReason);
    }

    [Fact]
    public void Next_StopSequenceAcrossTokens_EndsBeforeIt()
    {
        Reply reply = Start(new GenerationOptions { StopSequences = ["\nUser:"] });

        GeneratedToken[] tokens = Feed(reply, Tokenizer.Encode("Fine.\nUser: no"));

        Assert.Equal("Fine.", Text(tokens));
        Assert.Equal(FinishReason.StopSequence, tokens[^1].FinishReason);
        Assert.DoesNotContain(" no", Tokenizer.Decode(reply.TokenIds), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("A<", "A<|im_middle|>B")] // would end inside the special token
    [InlineData("|im", "A<|im_middle|>B")] // lies in it
    [InlineData("A<|im_middle|>B", "A<|im_middle|>B")] // across it
    [InlineData(">B", "A<|im_middle|>B")] // begins in it
    [InlineData("B", "A<|im_middle|>")]
    public void Next_StopSequenceAndASpecialToken_MatchesNoneOfIt(string stop, string expected)
    {
        int[] ids = Tokenizer.Encode("A<|im_middle|>B", allowSpecialTokens: true);
        Reply reply = Start(new GenerationOptions { MaxTokens = ids.Length, StopSequences = [stop], IncludeSpecialTokens = true });

        GeneratedToken[] tokens = Feed(reply, ids);

        Assert.Equal(expected, Text(tokens));
        Assert.EndsWith("<|im_middle|>", tokens[1].Text, StringComparison.Ordinal);
    }

    [Fact]
    public void Next_StopSequenceAtTheTokenLimit_IsTheStopSequence()
    {
        int[] ids = Tokenizer.Encode("Fine. STOP");
        Reply reply = Start(new GenerationOptions { MaxTokens = ids.Length, StopSequences = [" STOP"] });

        GeneratedToken[] tokens = Feed(reply, ids);

        Assert.Equal("Fine.", Text(tokens));
        Assert.Equal(FinishReason.StopSequence, tokens[^1].FinishReason);
    }

    [Fact]
    public void Next_EndsInsideACharacter_ShowsTheReplacementCharacter()
    {
        int[] ids = Tokenizer.Encode("a😀");
        Assert.True(ids.Length > 2, "The character must take several tokens.");
        Reply reply = Start(new GenerationOptions { MaxTokens = ids.Length - 1 });

        GeneratedToken[] tokens = Feed(reply, ids[..^1]);

        Assert.Equal("a\uFFFD", Text(tokens));
    }

    [Fact]
    public void Next_ReplacementCharacterCompletesAStop_EndsThere()
    {
        int[] ids = Tokenizer.Encode("a😀");
        Reply reply = Start(new GenerationOptions { MaxTokens = ids.Length - 1, StopSequences = ["\uFFFD"] });

        GeneratedToken[] tokens = Feed(reply, ids[..^1]);

        Assert.Equal("a", Text(tokens));
        Assert.Equal(FinishReason.StopSequence, tokens[^1].FinishReason);
    }

    [Theory]
    [InlineData(false, "\uFFFD")]
    [InlineData(true, "\uFFFD<|im_middle|>")]
    public void Next_SpecialTokenInsideACharacter_ShowsTheReplacementCharacterBeforeIt(bool include, string expected)
    {
        int[] ids = Tokenizer.Encode("a😀<|im_middle|>B", allowSpecialTokens: true);
        Reply reply = Start(new GenerationOptions { IncludeSpecialTokens = include });

        GeneratedToken[] tokens = Feed(reply, [.. ids[..^3], .. ids[^2..]]);

        Assert.Equal("a", Text(tokens[..^2]));
        Assert.Equal([expected, "B"], tokens[^2..].Select(token => token.Text));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Next_ReplacementCharacterBeforeASpecialTokenCompletesAStop_EndsThere(bool include)
    {
        int[] ids = Tokenizer.Encode("a😀<|im_middle|>B", allowSpecialTokens: true);
        Reply reply = Start(new GenerationOptions { StopSequences = ["a\uFFFD"], IncludeSpecialTokens = include });

        GeneratedToken[] tokens = Feed(reply, [.. ids[..^3], .. ids[^2..]]);

        Assert.Equal("", Text(tokens));
        Assert.Equal((ids[^2], FinishReason.StopSequence), (tokens[^1].Id, tokens[^1].FinishReason));
    }

    [Fact]
    public void Next_ContextIsFull_EndsWithThatToken()
    {
        Reply reply = Start(new GenerationOptions());

        GeneratedToken token = reply.Next(LogitsFor(65), contextIsFull: true);

        Assert.Equal(FinishReason.ContextLimit, token.FinishReason);
    }

    [Fact]
    public void Next_LogProbabilityAsked_IsTheModels()
    {
        Reply reply = Start(new GenerationOptions { IncludeLogProbabilities = true });
        float[] logits = new float[VocabularySize];
        logits[65] = MathF.Log(VocabularySize - 1);

        GeneratedToken token = reply.Next(logits, contextIsFull: false);

        Assert.NotNull(token.LogProbability);
        Assert.Equal(Math.Log(0.5), token.LogProbability.Value, 1e-6);
    }

    [Fact]
    public void Next_LogProbabilityNotAsked_IsNull() =>
        Assert.Null(Start(new GenerationOptions()).Next(LogitsFor(65), contextIsFull: false).LogProbability);

    [Fact]
    public void Next_TokenTheTokenizerDoesNotHave_StandsForNoText()
    {
        var reply = new Reply([1], new GenerationOptions { SamplingOptions = Greedy }, Tokenizer, VocabularySize + 8);
        float[] logits = new float[VocabularySize + 8];
        logits[VocabularySize + 3] = 1;

        GeneratedToken token = reply.Next(logits, contextIsFull: false);

        Assert.Equal((VocabularySize + 3, ""), (token.Id, token.Text));
    }

    [Fact]
    public void Next_MoreTokensThanWereReserved_KeepsThemAll()
    {
        Reply reply = Start(new GenerationOptions());
        int[] ids = [.. Enumerable.Range(0, 5000).Select(i => 65 + (i % 26))];

        Feed(reply, ids);

        Assert.Equal(ids, reply.TokenIds.ToArray());
    }

    [Fact]
    public void Next_SteadyState_AllocatesNothing()
    {
        Reply reply = Start(new GenerationOptions { StopSequences = ["never written"], StopTokenIds = [EndOfTurn] });
        float[] model = LogitsFor(65), logits = new float[VocabularySize];

        long before = 0;
        for (int i = 0; i < 200; i++)
        {
            before = i == 100 ? GC.GetAllocatedBytesForCurrentThread() : before;
            model.CopyTo(logits, 0);
            reply.Next(logits, contextIsFull: false);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void Text_OfADefaultToken_IsEmpty() => Assert.Equal("", default(GeneratedToken).Text);

    private static Reply Start(GenerationOptions options) =>
        new([1], options with { SamplingOptions = Greedy }, Tokenizer, VocabularySize);

    private static GeneratedToken[] Feed(Reply reply, int[] ids)
    {
        List<GeneratedToken> tokens = [];
        for (int i = 0; i < ids.Length && (i == 0 || tokens[^1].FinishReason is null); i++)
        {
            tokens.Add(reply.Next(LogitsFor(ids[i]), contextIsFull: false));
        }

        return [.. tokens];
    }

    private static float[] LogitsFor(int tokenId)
    {
        float[] logits = new float[VocabularySize];
        logits[tokenId] = 1;
        return logits;
    }

    private static string Text(GeneratedToken[] tokens) => string.Concat(tokens.Select(token => token.Text));
}
