using System.Text;
using KimiLinear.Configuration;
using KimiLinear.Tests.Checkpoints;
using Xunit;

namespace KimiLinear.Tests.Configuration;

public sealed class GenerationConfigTests
{
    [Fact]
    public void Load_SmallModel_ReadsItsFile()
    {
        GenerationConfig config = GenerationConfig.Load(TestModels.FullPath("samples/models/kimi-linear-tiny"));

        Assert.Equal([1282], config.EosTokenIds);
        Assert.Equal((1280, 1048576, 0.6f), (config.BosTokenId, config.MaxLength, config.Temperature));
        Assert.Null(config.TopP);
        Assert.Null(config.MaxNewTokens);
    }

    [Fact]
    public void Load_NoFile_RecommendsNothing()
    {
        GenerationConfig config = GenerationConfig.Load(TestModels.Golden("plain"));

        Assert.Empty(config.EosTokenIds);
        Assert.Equal(new GenerationConfig(), config);
    }

    [Fact]
    public void Load_NoFolder_SaysSo() =>
        Assert.Throws<DirectoryNotFoundException>(() => GenerationConfig.Load(TestModels.Golden("no-such-model")));

    [Fact]
    public void Parse_AllKeys_AreRead()
    {
        GenerationConfig config = Parse(
            """{"eos_token_id":[1,2],"pad_token_id":3,"top_p":0.9,"top_k":0,"repetition_penalty":1.1,"do_sample":true,"max_new_tokens":7}""");

        Assert.Equal([1, 2], config.EosTokenIds);
        Assert.Equal((3, 0.9f, 0, 1.1f, true, 7), (
            config.PadTokenId, config.TopP, config.TopK, config.RepetitionPenalty, config.DoSample, config.MaxNewTokens));
    }

    [Theory]
    [InlineData("temperature", "-0.1")]
    [InlineData("temperature", "\"hot\"")]
    [InlineData("top_p", "0")]
    [InlineData("top_p", "1.5")]
    [InlineData("top_k", "-1")]
    [InlineData("repetition_penalty", "0")]
    [InlineData("max_length", "0")]
    [InlineData("max_new_tokens", "0")]
    [InlineData("max_new_tokens", "2.5")]
    [InlineData("do_sample", "1")]
    [InlineData("eos_token_id", "\"x\"")]
    public void Parse_ValueOutOfRange_NamesKeyAndValue(string key, string value)
    {
        ModelConfigurationException exception = Assert.Throws<ModelConfigurationException>(() => Parse($"{{\"{key}\":{value}}}"));

        Assert.Contains(key, exception.Message, StringComparison.Ordinal);
        Assert.Contains(value, exception.Message, StringComparison.Ordinal);
    }

    private static GenerationConfig Parse(string text) => GenerationConfig.Parse(Encoding.UTF8.GetBytes(text));
}
