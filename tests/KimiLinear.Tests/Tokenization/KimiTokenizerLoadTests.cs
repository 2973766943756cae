using KimiLinear.Tokenization;
using Xunit;

namespace KimiLinear.Tests.Tokenization;

public sealed class KimiTokenizerLoadTests : IDisposable
{
    private readonly TemporaryTokenizerFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Load_NoVocabulary_ThrowsFileNotFound()
    {
        FileNotFoundException exception = Assert.Throws<FileNotFoundException>(_folder.Load);

        Assert.Equal(Path.Combine(_folder.Path, "tiktoken.model"), exception.FileName);
        Assert.Contains("downloaded model", exception.Message);
    }

    [Fact]
    public void Load_NoSettings_UsesThePublishedNamesAfterTheLastRank()
    {
        _folder.WriteVocabulary(TemporaryTokenizerFolder.SingleByteLines());

        KimiTokenizer tokenizer = _folder.Load();

        Assert.Equal(256 + 256, tokenizer.VocabularySize);
        Assert.Equal(256, tokenizer.GetSpecialTokenId("[BOS]"));
        Assert.Equal(258, tokenizer.GetSpecialTokenId("<|im_end|>"));
        Assert.Equal(265, tokenizer.GetSpecialTokenId("[EOT]"));
        Assert.Equal(271, tokenizer.GetSpecialTokenId("<|tool_call_end|>"));
        Assert.Equal(273, tokenizer.GetSpecialTokenId("<|im_middle|>"));
        Assert.Equal(511, tokenizer.GetSpecialTokenId("[PAD]"));
        Assert.Equal(261, tokenizer.GetSpecialTokenId("<|reserved_token_261|>"));
    }

    [Fact]
    public void Load_NoSettings_NamesTheSameIdsAsTheSmallModelsSettings()
    {
        File.Copy(Path.Combine(TokenizerGolden.ModelFolder, "tiktoken.model"), Path.Combine(_folder.Path, "tiktoken.model"));

        Assert.Equal(TokenizerGolden.Tokenizer.SpecialTokens, _folder.Load().SpecialTokens);
    }

    [Fact]
    public void Save_SmallModelsTokenizer_LoadsAsTheSame()
    {
        KimiTokenizer expected = TokenizerGolden.Tokenizer;

        expected.Save(_folder.Path);

        KimiTokenizer loaded = _folder.Load();
        Assert.Equal(expected.SpecialTokens, loaded.SpecialTokens);
        Assert.Equal(expected.VocabularySize, loaded.VocabularySize);
        Assert.All(
            Enumerable.Range(0, expected.VocabularySize),
            id => Assert.Equal(expected.GetBytes(id).ToArray(), loaded.GetBytes(id).ToArray()));
    }

    [Fact]
    public void Load_SettingsWithoutNames_UsesThePublishedNames()
    {
        _folder.WriteVocabulary(TemporaryTokenizerFolder.SingleByteLines());
        _folder.WriteSettings("""{"tokenizer_class": "TikTokenTokenizer"}""");

        Assert.True(_folder.Load().TryGetSpecialTokenId("<|im_end|>", out _));
    }

    [Fact]
    public void Load_SettingsNameSome_ReservesTheOthers()
    {
        _folder.WriteVocabulary(TemporaryTokenizerFolder.SingleByteLines());
        _folder.WriteSettings("""{"added_tokens_decoder": {"258": {"content": "<|im_end|>", "special": true}}}""");

        KimiTokenizer tokenizer = _folder.Load();

        Assert.Equal(258, tokenizer.GetSpecialTokenId("<|im_end|>"));
        Assert.False(tokenizer.TryGetSpecialTokenId("<|tool_call_begin|>", out _));
        Assert.Equal(269, tokenizer.GetSpecialTokenId("<|reserved_token_269|>"));
    }

    [Fact]
    public void Load_SettingsNameTheTwoIdsWithoutEmbedding_LeavesThemOut()
    {
        _folder.WriteVocabulary(TemporaryTokenizerFolder.SingleByteLines());
        _folder.WriteSettings("""{"added_tokens_decoder": {"512": {"content": "x"}, "513": {"content": "y"}}}""");

        KimiTokenizer tokenizer = _folder.Load();

        Assert.Equal(512, tokenizer.VocabularySize);
        Assert.False(tokenizer.TryGetSpecialTokenId("x", out _));
    }

    [Fact]
    public void Load_CarriageReturnsAndEmptyLines_AreSkipped()
    {
        _folder.WriteVocabulary(["", .. TemporaryTokenizerFolder.SingleByteLines().Select(line => line + "\r"), "\r", ""]);

        Assert.Equal(256, _folder.Load().BaseVocabularySize);
    }

    [Theory]
    [InlineData("YWI=", "must be base64, a space and a rank, but is 'YWI='")]
    [InlineData("<!DOCTYPE html>", "must begin with a token in base64, but begins with '<!DOCTYPE'")]
    [InlineData("YW 256", "must begin with a token in base64, but begins with 'YW'")]
    [InlineData("YWI=YWI= 256", "must begin with a token in base64, but begins with 'YWI=YWI='")]
    [InlineData(" 256", "must begin with a token in base64, but begins with ''")]
    [InlineData("YWI= ", "must end with a rank, a whole number, but ends with ''")]
    [InlineData("YWI= 0x100", "must end with a rank, a whole number, but ends with '0x100'")]
    [InlineData("YWI= -1", "must end with a rank, a whole number, but ends with '-1'")]
    [InlineData("YWI=  256", "must end with a rank, a whole number, but ends with ' 256'")]
    [InlineData("YWI= 99999999999", "must end with a rank, a whole number, but ends with '99999999999'")]
    [InlineData("YWI= 257", "must have rank 256, the next after the line before, but has '257'")]
    [InlineData("YWI= 25", "must have rank 256, the next after the line before, but has '25'")]
    [InlineData("YQ== 256", "must not repeat a token, but repeats that of rank 97: 'YQ=='")]
    public void Load_DamagedLine_ThrowsWithFileLineAndValue(string line, string complaint)
    {
        _folder.WriteVocabulary([.. TemporaryTokenizerFolder.SingleByteLines(), "", line]);

        TokenizerFormatException exception = Assert.Throws<TokenizerFormatException>(_folder.Load);

        Assert.Equal(Path.Combine(_folder.Path, "tiktoken.model"), exception.FilePath);
        Assert.Contains($"Line 258 of '{exception.FilePath}' {complaint}", exception.Message);
    }

    [Theory]
    [InlineData(0, "0x00")]
    [InlineData(255, "0xFF")]
    public void Load_LinesMissingAtTheEnd_ThrowsNamingTheMissingByte(int lineCount, string missing)
    {
        _folder.WriteVocabulary(TemporaryTokenizerFolder.SingleByteLines().Take(lineCount));

        TokenizerFormatException exception = Assert.Throws<TokenizerFormatException>(_folder.Load);

        Assert.Contains($"of the {lineCount} tokens", exception.Message);
        Assert.Contains($"none is the byte {missing}", exception.Message);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Load_HugeFile_ThrowsBeforeReadingIt(bool isLink)
    {
        string path = Path.Combine(_folder.Path, "tiktoken.model");
        using (FileStream file = File.Create(isLink ? $"{path}.blob" : path))
        {
            file.SetLength(3L << 30); // sparse
        }

        if (isLink)
        {
            File.CreateSymbolicLink(path, "tiktoken.model.blob");
        }

        TokenizerFormatException exception = Assert.Throws<TokenizerFormatException>(_folder.Load);

        Assert.Contains("at most 67,108,864 bytes long, but has 3,221,225,472", exception.Message);
    }

    [Fact]
    public void Load_MissingByteAmongMany_StatesTheirNumberWithAComma()
    {
        _folder.WriteVocabulary(Enumerable.Range(0, 1000).Select(value => new byte[] { 1, (byte)(value >> 8), (byte)value }));
        TokenizerFormatException exception = Assert.Throws<TokenizerFormatException>(_folder.Load);

        Assert.Contains("of the 1,000 tokens", exception.Message);
    }

    [Fact]
    public void Load_OnlyEmptyLines_ThrowsNamingTheMissingByte()
    {
        _folder.WriteVocabulary(Enumerable.Repeat("", 1000));

        Assert.Contains("of the 0 tokens", Assert.Throws<TokenizerFormatException>(_folder.Load).Message);
    }

    [Fact]
    public void Load_VocabularyCutShort_DoesNotFitTheSettings()
    {
        _folder.WriteVocabulary(File.ReadLines(Path.Combine(TokenizerGolden.ModelFolder, "tiktoken.model")).Take(1000));
        _folder.WriteSettings(File.ReadAllText(Path.Combine(TokenizerGolden.ModelFolder, "tokenizer_config.json")));

        TokenizerFormatException exception = Assert.Throws<TokenizerFormatException>(_folder.Load);

        Assert.Contains("from 1000 to 1255", exception.Message);
    }

    [Theory]
    [InlineData("", "is not valid JSON")]
    [InlineData("""{"added_tokens_decoder": {""", "is not valid JSON")]
    [InlineData("[]", "must hold a JSON object, but holds Array")]
    [InlineData("""{"added_tokens_decoder": []}""", "must hold an object in added_tokens_decoder, but holds Array")]
    [InlineData("""{"added_tokens_decoder": {"end": {"content": "x"}}}""", "but names 'end'")]
    [InlineData("""{"added_tokens_decoder": {"-1": {"content": "x"}}}""", "but names '-1'")]
    [InlineData("""{"added_tokens_decoder": {"255": {"content": "x"}}}""", "must name ids from 256 to 511")]
    [InlineData("""{"added_tokens_decoder": {"514": {"content": "x"}}}""", "but names '514'")]
    [InlineData("""{"added_tokens_decoder": {"99999999999": {"content": "x"}}}""", "but names '99999999999'")]
    [InlineData("""{"added_tokens_decoder": {"256": "x"}}""", "must give id 256 in added_tokens_decoder a text called content")]
    [InlineData("""{"added_tokens_decoder": {"256": {"special": true}}}""", """but gives {"special": true}""")]
    [InlineData("""{"added_tokens_decoder": {"256": {"content": 5}}}""", """but gives {"content": 5}""")]
    [InlineData("""{"added_tokens_decoder": {"256": {"content": ""}}}""", """but gives {"content": ""}""")]
    [InlineData("""{"added_tokens_decoder": {"256": {"content": "\ud800"}}}""", "holds text that is not valid Unicode")]
    [InlineData("""{"added_tokens_decoder": {"\ud800": {"content": "x"}}}""", "holds text that is not valid Unicode")]
    [InlineData("""{"added_tokens_decoder": {"256": {"content": "x"}, "256": {"content": "y"}}}""", "names id 256 twice")]
    [InlineData("""{"added_tokens_decoder": {"256": {"content": "x"}, "257": {"content": "x"}}}""", "special token 'x' twice")]
    [InlineData("""{"added_tokens_decoder": {"256": {"content": "<|reserved_token_300|>"}}}""", "'<|reserved_token_300|>' twice")]
    public void Load_DamagedSettings_ThrowsWithFileAndValue(string json, string complaint)
    {
        _folder.WriteVocabulary(TemporaryTokenizerFolder.SingleByteLines());
        _folder.WriteSettings(json);

        TokenizerFormatException exception = Assert.Throws<TokenizerFormatException>(_folder.Load);

        Assert.Equal(Path.Combine(_folder.Path, "tokenizer_config.json"), exception.FilePath);
        Assert.Contains(complaint, exception.Message);
    }
}
