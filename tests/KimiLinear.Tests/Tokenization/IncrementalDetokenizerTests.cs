using System.Globalization;
using System.Text;
using FsCheck;
using FsCheck.Fluent;
using KimiLinear.Tokenization;
using Xunit;

namespace KimiLinear.Tests.Tokenization;

public sealed class IncrementalDetokenizerTests
{
    private static readonly KimiTokenizer Tokenizer = TokenizerGolden.Tokenizer;

    [Fact]
    public void Append_CharacterInSeveralTokens_IsHeldUntilComplete()
    {
        IncrementalDetokenizer detokenizer = Tokenizer.CreateDetokenizer();

        string[] texts = [.. new[] { 'a', 0xF0, 0x9F, 0x98, 0x80, 'b' }.Select(id => detokenizer.Append(id))];

        Assert.Equal(["a", "", "", "", "😀", "b"], texts);
        Assert.Equal("", detokenizer.Flush());
    }

    [Fact]
    public void Append_CharacterBreaksOff_ShowsOneReplacementAndTheNext()
    {
        IncrementalDetokenizer detokenizer = Tokenizer.CreateDetokenizer();

        Assert.Equal("", detokenizer.Append(0xE4));
        Assert.Equal("", detokenizer.Append(0xB8));
        Assert.Equal("\uFFFDx", detokenizer.Append('x'));
    }

    [Fact]
    public void Flush_CharacterIncomplete_ReturnsReplacementOnce()
    {
        IncrementalDetokenizer detokenizer = Tokenizer.CreateDetokenizer();
        detokenizer.Append(0xE4);
        detokenizer.Append(0xB8);

        Assert.Equal("\uFFFD", detokenizer.Flush());
        Assert.Equal("", detokenizer.Flush());
        Assert.Equal("x", detokenizer.Append('x'));
    }

    [Fact]
    public void Append_SpecialToken_AppearsOnlyWhenAskedFor()
    {
        int id = Tokenizer.GetSpecialTokenId("<|im_end|>");

        Assert.Equal("", Tokenizer.CreateDetokenizer().Append(id));
        Assert.Equal("<|im_end|>", Tokenizer.CreateDetokenizer(includeSpecialTokens: true).Append(id));
    }

    [Fact]
    public void Append_SpecialTokenLeftOutInsideACharacter_KeepsTheCharacter()
    {
        IncrementalDetokenizer detokenizer = Tokenizer.CreateDetokenizer();

        string text = detokenizer.Append(0xC3) + detokenizer.Append(Tokenizer.BaseVocabularySize) + detokenizer.Append(0xA9);

        Assert.Equal("é", text);
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(1536)]
    public void Append_IdOutsideTheVocabulary_ThrowsNamingIdAndRange(int id)
    {
        ArgumentOutOfRangeException exception =
            Assert.Throws<ArgumentOutOfRangeException>(() => Tokenizer.CreateDetokenizer().Append(id));

        Assert.Contains(
            string.Create(CultureInfo.InvariantCulture, $"from 0 to 1535, the model's vocabulary, but is {id}"), exception.Message);
    }

    [Fact]
    public void Append_AnyIds_JoinsToDecodeOfAll()
    {
        // Half of the ids are single bytes, so that characters break and mend in every way.
        Gen<int> id = Gen.OneOf(Gen.Choose(0, Tokenizer.VocabularySize - 1), Gen.Choose(0x80, 0xFF));
        Gen<int[]> ids = id.ArrayOf();

        Prop.ForAll(ids.ToArbitrary(), ArbMap.Default.ArbFor<bool>(), (sequence, includeSpecialTokens) =>
        {
            IncrementalDetokenizer detokenizer = Tokenizer.CreateDetokenizer(includeSpecialTokens);
            StringBuilder joined = new();
            foreach (int next in sequence)
            {
                string text = detokenizer.Append(next);
                joined.Append(text);

                Assert.False(text.Length > 0 && char.IsHighSurrogate(text[^1]), "half a character was shown");
            }

            joined.Append(detokenizer.Flush());

            Assert.Equal(Tokenizer.Decode(sequence, includeSpecialTokens), joined.ToString());
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(2000));
    }

    [Fact]
    public void Append_AnyBytesInTokensOfAnyLength_JoinsToTheTextOfTheBytes()
    {
        // A vocabulary whose tokens are pieces of many characters, cut everywhere.
        byte[] sample = Encoding.UTF8.GetBytes("aé世😀\u0300ﬀ𝟘");
        using TemporaryTokenizerFolder folder = new();
        List<byte[]> tokens = [.. Enumerable.Range(0, 256).Select(value => new[] { (byte)value })];
        for (int start = 0; start < sample.Length; start++)
        {
            for (int length = 2; start + length <= sample.Length; length++)
            {
                byte[] token = sample[start..(start + length)];
                if (!tokens.Any(other => other.AsSpan().SequenceEqual(token)))
                {
                    tokens.Add(token);
                }
            }
        }

        tokens.Add([.. Enumerable.Repeat(sample, 100).SelectMany(bytes => bytes), 0xF0, 0x9F]);
        folder.WriteVocabulary(tokens);
        KimiTokenizer tokenizer = folder.Load();

        Prop.ForAll(Gen.Choose(0, tokens.Count - 1).ArrayOf().ToArbitrary(), sequence =>
        {
            IncrementalDetokenizer detokenizer = tokenizer.CreateDetokenizer();

            string joined = string.Concat(sequence.Select(detokenizer.Append)) + detokenizer.Flush();

            Assert.Equal(Encoding.UTF8.GetString([.. sequence.SelectMany(id => tokens[id])]), joined);
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(1000));
    }

    [Fact]
    public void Append_OrdinaryTokensAgain_AllocatesNothing()
    {
        int[] ids = Tokenizer.Encode("The quick brown fox says hello to the world, 42 times.");
        IncrementalDetokenizer detokenizer = Tokenizer.CreateDetokenizer();
        AppendAll(detokenizer, ids);

        long before = GC.GetAllocatedBytesForCurrentThread();
        AppendAll(detokenizer, ids);
        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;

        Assert.Equal(0, allocated);
    }

    private static void AppendAll(IncrementalDetokenizer detokenizer, int[] ids)
    {
        foreach (int id in ids)
        {
            detokenizer.Append(id);
        }
    }
}
