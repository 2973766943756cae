using System.Diagnostics;
using System.Globalization;
using System.Text;
using FsCheck;
using FsCheck.Fluent;
using KimiLinear.Tokenization;
using Xunit;

namespace KimiLinear.Tests.Tokenization;

public sealed class KimiTokenizerTests
{
    // Linear time takes a small part of this; quadratic time, minutes.
    private static readonly TimeSpan LongTextLimit = TimeSpan.FromSeconds(10);

    private static readonly KimiTokenizer Tokenizer = TokenizerGolden.Tokenizer;

    [Fact]
    public void Encode_GoldenTexts_YieldsTheGoldenIds() =>
        Assert.All(TokenizerGolden.Lines, line => Assert.Equal(line.IdsPlain, Tokenizer.Encode(line.Text)));

    [Fact]
    public void Encode_GoldenTextsWithSpecialTokens_YieldsTheGoldenIds() =>
        Assert.All(TokenizerGolden.Lines, line =>
            Assert.Equal(line.IdsWithSpecial, Tokenizer.Encode(line.Text, allowSpecialTokens: true)));

    [Fact]
    public void Decode_GoldenIds_ReturnsTheText() =>
        Assert.All(TokenizerGolden.Lines, line =>
        {
            Assert.Equal(line.Text, Tokenizer.Decode(line.IdsPlain));
            Assert.Equal(line.Text, Tokenizer.Decode(line.IdsWithSpecial));
        });

    [Fact]
    public void Decode_EncodedText_ReturnsTheTextWithLoneSurrogatesReplaced()
    {
        Gen<string> anyUnits = Gen.OneOf(Gen.Choose(0, 0xFFFF), Gen.Choose(0xD7F0, 0xE010), Gen.Choose(0, 0x7F))
            .Select(unit => (char)unit).ArrayOf().Select(units => new string(units));

        Prop.ForAll(anyUnits.ToArbitrary(), ArbMap.Default.ArbFor<bool>(), (text, allowSpecialTokens) =>
            Assert.Equal(Replaced(text), Tokenizer.Decode(Tokenizer.Encode(text, allowSpecialTokens))))
            .Check(Config.QuickThrowOnFailure.WithMaxTest(1000));
    }

    [Fact]
    public void Encode_AnyTextWithMarkers_NeverYieldsSpecialIdsUnlessAllowed()
    {
        Gen<string> part = Gen.OneOf(
            Gen.Elements(Tokenizer.SpecialTokens.ToArray()).Select(token => token.Name),
            Gen.Elements("<|", "|>", "im_end", "[", "]", " ", "hello", "世界"));
        Gen<string> texts = part.ListOf().Select(string.Concat);

        Prop.ForAll(texts.ToArbitrary(), text =>
        {
            int[] ids = Tokenizer.Encode(text);

            Assert.DoesNotContain(ids, Tokenizer.IsSpecialToken);
            Assert.Equal(text, Tokenizer.Decode(ids));
            Assert.Equal(text, Tokenizer.Decode(Tokenizer.Encode(text, allowSpecialTokens: true)));
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void Encode_LoneSurrogates_AreEncodedAsReplacementCharacters() =>
        Assert.Equal(Tokenizer.Encode("a\uFFFDb\uFFFD"), Tokenizer.Encode("a\uDC00b\uD800"));

    [Fact]
    public void Encode_ToAList_AppendsTheSameIds()
    {
        List<int> ids = [7];

        Tokenizer.Encode("Hello<|im_end|>", ids, allowSpecialTokens: true);

        Assert.Equal([7, .. Tokenizer.Encode("Hello"), Tokenizer.GetSpecialTokenId("<|im_end|>")], ids);
    }

    [Fact]
    public void Encode_OneSpecialNameBeginsAnother_TakesTheLongest()
    {
        using TemporaryTokenizerFolder folder = new();
        folder.WriteVocabulary(TemporaryTokenizerFolder.SingleByteLines());
        folder.WriteSettings("""
            {"added_tokens_decoder": {"256": {"content": "<a"}, "257": {"content": "<a>"}, "258": {"content": "a>b"}}}
            """);

        Assert.Equal([257, 'b', 256, 258], folder.Load().Encode("<a>b<aa>b", allowSpecialTokens: true));
    }

    [Theory]
    [InlineData("a", 1_000_000)]
    [InlineData(" ", 500_000)]
    [InlineData("\n", 500_000)]
    [InlineData("=", 500_000)]
    [InlineData("A", 500_000)]
    [InlineData("世", 300_000)]
    [InlineData("😀", 300_000)]
    [InlineData("the quick brown ", 50_000)]
    [InlineData("there", 200_000)]
    [InlineData("<|im_end|>", 50_000)]
    public void Encode_VeryLongText_TakesLinearTime(string unit, int count)
    {
        string text = string.Concat(Enumerable.Repeat(unit, count));
        Stopwatch time = Stopwatch.StartNew();

        int[] ids = Tokenizer.Encode(text);

        Assert.InRange(time.Elapsed, TimeSpan.Zero, LongTextLimit);
        Assert.Equal(Replaced(text), Tokenizer.Decode(ids));
    }

    [Fact]
    public void Encode_ManyLoneSurrogates_TakesLinearTime() =>
        Encode_VeryLongText_TakesLinearTime(((char)0xDC00).ToString(), 300_000);

    [Fact]
    public void Encode_VeryLongText_IsEncodedSliceBySlice()
    {
        string run = string.Concat(Enumerable.Repeat("there", 10_000));
        int[] half = Tokenizer.Encode(run[..25_000]);
        int[] block = Tokenizer.Encode(string.Concat(Enumerable.Repeat("on ", 133_333)) + "o");

        Assert.Equal([.. half, .. half], Tokenizer.Encode(run));
        Assert.Equal([.. block, .. Tokenizer.Encode("n on ")],
            Tokenizer.Encode(string.Concat(Enumerable.Repeat("on ", 133_335))));
    }

    [Fact]
    public void Encode_SpecialNameAcrossACut_IsOrdinaryText()
    {
        string text = new string('a', 24_995) + "<|im_end|>";

        int[] ids = Tokenizer.Encode(text, allowSpecialTokens: true);

        Assert.DoesNotContain(ids, Tokenizer.IsSpecialToken);
        Assert.Equal(text, Tokenizer.Decode(ids));
    }

    [Fact]
    public async Task Encode_ManyThreads_AllYieldTheSame()
    {
        int[][] results = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(() =>
            TokenizerGolden.Lines.SelectMany(line => Tokenizer.Encode(line.Text)).ToArray())));

        Assert.All(results, result => Assert.Equal(TokenizerGolden.Lines.SelectMany(line => line.IdsPlain), result));
    }

    [Fact]
    public void Decode_WithoutSpecialTokens_LeavesTheirNamesOut()
    {
        int[] ids = Tokenizer.Encode("<|im_user|>hi<|im_end|>", allowSpecialTokens: true);

        Assert.Equal("hi", Tokenizer.Decode(ids, includeSpecialTokens: false));
        Assert.Equal("<|im_user|>hi<|im_end|>", Tokenizer.Decode(ids));
    }

    [Fact]
    public void Decode_InvalidBytes_BecomeReplacementCharacters() =>
        Assert.Equal("\uFFFDa\uFFFD\uFFFD\uFFFD", Tokenizer.Decode([0xE4, 'a', 0xFF, 0xC0, 0xF0]));

    [Theory]
    [InlineData(-1)]
    [InlineData(1536)]
    [InlineData(int.MaxValue)]
    public void Decode_IdOutsideTheVocabulary_ThrowsNamingIdAndRange(int id)
    {
        ArgumentOutOfRangeException exception =
            Assert.Throws<ArgumentOutOfRangeException>(() => Tokenizer.Decode([65, id], includeSpecialTokens: false));

        Assert.Equal(id, exception.ActualValue);
        Assert.Contains(
            string.Create(CultureInfo.InvariantCulture, $"from 0 to 1535, the model's vocabulary, but is {id}"), exception.Message);
    }

    [Fact]
    public void GetBytes_AnyId_AreItsBytesOrItsNames()
    {
        Assert.Equal([0xE4], Tokenizer.GetBytes(0xE4).ToArray());
        Assert.Equal("<|im_end|>"u8.ToArray(), Tokenizer.GetBytes(1282).ToArray());
        Assert.Equal("<|reserved_token_1285|>"u8.ToArray(), Tokenizer.GetBytes(1285).ToArray());
    }

    [Fact]
    public void Sizes_SmallModel_AreThoseOfItsVocabulary()
    {
        Assert.Equal(1280, Tokenizer.BaseVocabularySize);
        Assert.Equal(1536, Tokenizer.VocabularySize);
        Assert.Equal(Enumerable.Range(1280, 256), Tokenizer.SpecialTokens.Select(token => token.Id));
    }

    [Theory]
    [InlineData(-1, false)]
    [InlineData(1279, false)]
    [InlineData(1280, true)]
    [InlineData(1535, true)]
    [InlineData(1536, false)]
    public void IsSpecialToken_AnyNumber_IsTrueForTheLast256Ids(int id, bool expected) =>
        Assert.Equal(expected, Tokenizer.IsSpecialToken(id));

    [Fact]
    public void GetSpecialTokenId_UnknownName_ThrowsNamingIt()
    {
        ArgumentException exception = Assert.Throws<ArgumentException>(() => Tokenizer.GetSpecialTokenId("<think>"));

        Assert.Contains("no special token '<think>'", exception.Message);
        Assert.False(Tokenizer.TryGetSpecialTokenId("<think>", out _));
    }

    private static string Replaced(string text) => Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text));
}
