using System.Text;
using KimiLinear.Configuration;
using KimiLinear.Tests.TestSupport;
using KimiLinear.Tokenization;
using Xunit;

namespace KimiLinear.Tests.Tokenization;

public sealed class GgufTokenizerTests : IDisposable
{
    private const int Normal = 1;
    private const int Control = 3;
    private const int UserDefined = 4;
    private const int Unused = 5;

    private readonly TemporaryTokenizerFolder _folder = new();

    public static TheoryData<string, byte[]> Refused => new()
    {
        { "tokenizer.ggml.model must be 'gpt2'", With(writer => writer.Set("tokenizer.ggml.model", "llama")) },
        { "tokenizer.ggml.pre must be 'kimi-k2'", With(writer => writer.Set("tokenizer.ggml.pre", "qwen2")) },
        { "tokenizer.ggml.model is required", With(writer => writer.Remove("tokenizer.ggml.model")) },
        { "tokenizer.ggml.tokens is required", With(writer => writer.Remove("tokenizer.ggml.tokens")) },
        { "tokenizer.ggml.tokens must be a list of texts", With(writer => writer.Set("tokenizer.ggml.tokens", new[] { 1 })) },
        { "token_type must be a list of 258", With(writer => writer.Set("tokenizer.ggml.token_type", new[] { 1 })) },
        { "general.architecture must be", With(writer => writer.Set("general.architecture", "llama")) },
        { "id 257 in", With(writer => writer.Set("tokenizer.ggml.token_type", Types(256, Control, Normal))) },
        { "id 256 in", With(writer => Tokens(writer, Bytes().Append("a b").Append("x"), Types(257, Control))) },
        { "id 256 in", With(writer => Tokens(writer, Bytes().Append("").Append("x"), Types(257, Control))) },
        { "not repeat that of id 97", With(writer => Tokens(writer, Bytes().Append("a").Append("x"), Types(257, Control))) },
        { "none is the byte 0xFF", With(writer => Tokens(writer, Bytes().SkipLast(1).Append("x"), Types(255, Control))) },
        { "a name of its own", With(writer => Tokens(writer, Bytes().Concat(["x", "x"]), Types(256, Control, Control))) },
        { "a name of its own", With(writer => Tokens(writer, Bytes().Concat(["", "x"]), Types(256, Control, Control))) },
    };

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Encode_GoldenTexts_GivesTheIdsOfTheFolder(bool allowSpecialTokens)
    {
        KimiTokenizer tokenizer = Load(TinyTokenizer());

        foreach (TokenizerGolden.Line line in TokenizerGolden.Lines)
        {
            int[] ids = tokenizer.Encode(line.Text, allowSpecialTokens);

            Assert.Equal(allowSpecialTokens ? line.IdsWithSpecial : line.IdsPlain, ids);
        }
    }

    [Fact]
    public void Load_TinyTokenizer_HasTheSameTokensAsTheFolder()
    {
        KimiTokenizer expected = TokenizerGolden.Tokenizer;

        KimiTokenizer tokenizer = Load(TinyTokenizer());

        Assert.Equal(expected.BaseVocabularySize, tokenizer.BaseVocabularySize);
        Assert.Equal(expected.SpecialTokens, tokenizer.SpecialTokens);
        Assert.All(
            Enumerable.Range(0, expected.VocabularySize),
            id => Assert.Equal(expected.GetBytes(id).ToArray(), tokenizer.GetBytes(id).ToArray()));
    }

    // As large as the published vocabulary, with all the pairs of bytes and most triples of lower letters.
    [Fact]
    public void Load_PublishedSize_ReadsEveryToken()
    {
        List<byte[]> tokens = [.. Enumerable.Range(0, 256).Select(value => new[] { (byte)value })];
        tokens.AddRange(Enumerable.Range(0, 65_536).Select(pair => new[] { (byte)(pair >> 8), (byte)pair }));
        tokens.AddRange(Enumerable.Range(0, 163_584 - tokens.Count)
            .Select(i => new[] { (byte)i, (byte)(i >> 8), (byte)(i >> 16), (byte)'x' }));
        IEnumerable<string> specials = Enumerable.Range(0, 256).Select(i => $"<|special_{i}|>");
        GgufWriter writer = Tokens(
            new GgufWriter(),
            tokens.Select(token => GgufText.Of(token)).Concat(specials),
            [.. Types(tokens.Count), .. Enumerable.Repeat(Control, 256)]);

        KimiTokenizer tokenizer = Load(writer.Set("tokenizer.ggml.merges", Enumerable.Repeat("a b", 163_000).ToArray()));

        Assert.Equal((163_840, 163_584), (tokenizer.VocabularySize, tokenizer.BaseVocabularySize));
        Assert.All(
            Enumerable.Range(0, tokens.Count).Where(id => id % 101 == 0),
            id => Assert.Equal(tokens[id], tokenizer.GetBytes(id).ToArray()));
        Assert.Equal(163_839, tokenizer.GetSpecialTokenId("<|special_255|>"));
    }

    [Fact]
    public void Load_GapsAndUserTokens_AreReservedAndNamed()
    {
        KimiTokenizer tokenizer = Load(Tokens(
            new GgufWriter(), Bytes().Concat(["[EOS]", "[PAD257]", "<tool>"]), Types(256, Control, Unused, UserDefined)));

        Assert.Equal(256, tokenizer.GetSpecialTokenId("[EOS]"));
        Assert.Equal(257, tokenizer.GetSpecialTokenId("<|reserved_token_257|>"));
        Assert.False(tokenizer.TryGetSpecialTokenId("[PAD257]", out _));
        Assert.Equal([258], tokenizer.Encode("<tool>", allowSpecialTokens: true));
    }

    [Fact]
    public void Load_NoSpecialTokens_EncodesBytes()
    {
        KimiTokenizer tokenizer = KimiTokenizer.Load(GgufGolden.File("q4_0"));

        Assert.Equal((256, 256), (tokenizer.VocabularySize, tokenizer.BaseVocabularySize));
        Assert.Equal([72, 195, 169], tokenizer.Encode("Hé", allowSpecialTokens: true));
        Assert.Equal("Hé", tokenizer.Decode([72, 195, 169]));
    }

    [Fact]
    public void Load_FolderWithGgufOnly_ReadsItsTokenizer()
    {
        File.WriteAllBytes(Path.Combine(_folder.Path, "x.gguf"), TinyTokenizer().ToBytes());

        Assert.Equal(TokenizerGolden.Tokenizer.SpecialTokens, _folder.Load().SpecialTokens);
    }

    [Fact]
    public void Load_FolderWithVocabulary_PrefersIt()
    {
        File.WriteAllBytes(Path.Combine(_folder.Path, "x.gguf"), TinyTokenizer().ToBytes());
        _folder.WriteVocabulary(TemporaryTokenizerFolder.SingleByteLines());

        Assert.Equal(256, _folder.Load().BaseVocabularySize);
    }

    [Fact]
    public void Load_FileThatDoesNotExist_ThrowsFileNotFound() =>
        Assert.Throws<FileNotFoundException>(() => KimiTokenizer.Load(Path.Combine(_folder.Path, "none.gguf")));

    [Theory]
    [MemberData(nameof(Refused))]
    public void Load_TokensThatAreWrong_NamesThem(string expected, byte[] file)
    {
        ModelFormatException exception = Assert.ThrowsAny<ModelFormatException>(() => Load(file));

        Assert.Contains(expected, exception.Message, StringComparison.Ordinal);
        Assert.Contains(_folder.Path, exception.Message, StringComparison.Ordinal);
    }

    private static GgufWriter TinyTokenizer()
    {
        KimiTokenizer tokenizer = TokenizerGolden.Tokenizer;
        int[] types =
        [
            .. Types(tokenizer.BaseVocabularySize),
            .. tokenizer.SpecialTokens.Select(
                token => token.Name.Contains("reserved", StringComparison.Ordinal) ? Unused : Control),
        ];
        IEnumerable<string> tokens = Enumerable.Range(0, tokenizer.VocabularySize).Select(
            id => types[id] switch
            {
                Normal => GgufText.Of(tokenizer.GetBytes(id)),
                Unused => $"[PAD{id}]",
                _ => Encoding.UTF8.GetString(tokenizer.GetBytes(id)),
            });
        return Tokens(new GgufWriter(), tokens, types);
    }

    private static IEnumerable<string> Bytes() => Enumerable.Range(0, 256).Select(value => GgufText.Of([(byte)value]));

    private static int[] Types(int normalCount, params int[] others) => [.. Enumerable.Repeat(Normal, normalCount), .. others];

    private static GgufWriter Tokens(GgufWriter writer, IEnumerable<string> tokens, int[] types) => writer
        .Set("general.architecture", "kimi-linear")
        .Set("tokenizer.ggml.model", "gpt2")
        .Set("tokenizer.ggml.pre", "kimi-k2")
        .Set("tokenizer.ggml.tokens", tokens.ToArray())
        .Set("tokenizer.ggml.token_type", types);

    private static byte[] With(Func<GgufWriter, GgufWriter> change) =>
        change(Tokens(new GgufWriter(), Bytes().Concat(["[BOS]", "[EOS]"]), Types(256, Control, Control))).ToBytes();

    private KimiTokenizer Load(GgufWriter writer) => Load(writer.ToBytes());

    private KimiTokenizer Load(byte[] file)
    {
        string path = Path.Combine(_folder.Path, "model.gguf");
        File.WriteAllBytes(path, file);
        return KimiTokenizer.Load(path);
    }
}
