using KimiLinear.Checkpoints;
using KimiLinear.Configuration;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Tests.Checkpoints;

public sealed class GgufConfigReaderTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public static TheoryData<string, string, object> Refused => new()
    {
        { "general.architecture must be 'kimi-linear'", "general.architecture", "deepseek2" },
        { "expert_gating_func must be 2", "kimi-linear.expert_gating_func", 1u },
        { "head_count_kv must be a list of 2", "kimi-linear.attention.head_count_kv", new[] { 0, 1, 0 } },
        { "head_count_kv must be a list of 2", "kimi-linear.attention.head_count_kv", 2u },
        { "key_length_mla must be above 64", "kimi-linear.attention.key_length_mla", 64u },
        { "embedding_length must be a whole number", "kimi-linear.embedding_length", 0u },
        { "embedding_length must be a whole number", "kimi-linear.embedding_length", ulong.MaxValue },
        { "embedding_length must be a whole number", "kimi-linear.embedding_length", "256" },
        { "block_count must be a whole number", "kimi-linear.block_count", uint.MaxValue },
        { "but is -1", "kimi-linear.block_count", -1 },
        { "expert_weights_scale must be a positive number", "kimi-linear.expert_weights_scale", float.NaN },
        { "expert_weights_norm must be true or false", "kimi-linear.expert_weights_norm", 1u },
        { "q_lora_rank must be absent", "kimi-linear.attention.q_lora_rank", 768u },
        { "gate_lower_bound must be absent", "kimi-linear.kda.gate_lower_bound", -5f },
        { "num_experts_per_token must be at most", "kimi-linear.expert_used_count", 5u },
        { "topk_group must be at most", "kimi-linear.expert_group_used_count", 2u },
    };

    public void Dispose() => _folder.Dispose();

    // The metadata have no padding id, and a context and a data type of their own.
    [Theory]
    [MemberData(nameof(GgufGolden.All), MemberType = typeof(GgufGolden))]
    public void LoadConfig_GoldenFile_EqualsConfigJson(string name)
    {
        KimiLinearConfig expected = KimiLinearConfig.Load(GgufGolden.Root);

        KimiLinearConfig actual = ModelLocation.Find(GgufGolden.File(name)).LoadConfig();

        Assert.Equal(8192, actual.MaxContextTokens);
        Assert.Equal(name, actual.StatedDataType, ignoreCase: true);
        Assert.Null(actual.PadTokenId);
        AssertSame(expected, actual with
        {
            MaxContextTokens = expected.MaxContextTokens,
            StatedDataType = expected.StatedDataType,
            PadTokenId = expected.PadTokenId,
        });
    }

    [Fact]
    public void LoadConfig_OlderSpellings_AreUnderstood()
    {
        KimiLinearConfig expected = Read(GgufGolden.Copy("f16"));

        // Older converters wrote the number of heads for one shared head, and leftovers of another head width.
        KimiLinearConfig actual = Read(GgufGolden.Copy("f16")
            .Set("kimi-linear.attention.head_count_kv", new[] { 0u, 32u })
            .Set("kimi-linear.attention.key_length", 72u)
            .Set("kimi-linear.attention.value_length", 72u)
            .Set("kimi-linear.rope.dimension_count", 72u)
            .Set("kimi-linear.expert_group_count", 0u)
            .Remove("kimi-linear.vocab_size")
            .Remove("kimi-linear.expert_gating_func"));

        AssertSame(expected, actual);
    }

    [Fact]
    public void LoadConfig_OptionalKeys_AreRead()
    {
        KimiLinearConfig config = Read(GgufGolden.Copy("f16")
            .Set("kimi-linear.expert_weights_norm", false)
            .Set("kimi-linear.expert_group_count", 2u)
            .Set("kimi-linear.expert_group_used_count", 1u)
            .Set("kimi-linear.leading_dense_block_count", 0u)
            .Set("tokenizer.ggml.eos_token_id", 3u)
            .Set("tokenizer.ggml.eot_token_id", 4u)
            .Set("tokenizer.ggml.bos_token_id", 5u)
            .Set("tokenizer.ggml.padding_token_id", 256u));

        Assert.False(config.NormalizeRouterWeights);
        Assert.Equal((2, 1), (config.ExpertGroupCount, config.ActiveExpertGroupCount));
        Assert.Equal([true, true], config.SparseLayers);
        Assert.Equal([3, 4], config.EosTokenIds);
        Assert.Equal(5, config.BosTokenId);
        Assert.Null(config.PadTokenId);
    }

    [Theory]
    [MemberData(nameof(Refused))]
    public void LoadConfig_ValueThatCannotBeRun_NamesKeyAndRule(string expected, string key, object value)
    {
        string path = _folder.Write("x.gguf", GgufGolden.Copy("q4_0").Set(key, value).ToBytes());

        ModelFormatException exception = Assert.ThrowsAny<ModelFormatException>(() => ModelLocation.Find(path).LoadConfig());

        Assert.Contains(expected, exception.Message, StringComparison.Ordinal);
        Assert.Contains(path, exception.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("general.architecture")]
    [InlineData("kimi-linear.block_count")]
    [InlineData("kimi-linear.attention.head_count_kv")]
    [InlineData("kimi-linear.attention.value_length_mla")]
    [InlineData("kimi-linear.expert_feed_forward_length")]
    public void LoadConfig_RequiredKeyMissing_NamesIt(string key)
    {
        string path = _folder.Write("x.gguf", GgufGolden.Copy("q4_0").Remove(key).ToBytes());

        CheckpointFormatException exception =
            Assert.Throws<CheckpointFormatException>(() => ModelLocation.Find(path).LoadConfig());

        Assert.Contains($"{key} is required", exception.Message, StringComparison.Ordinal);
    }

    private static void AssertSame(KimiLinearConfig expected, KimiLinearConfig actual)
    {
        Assert.Equal(expected.LayerKinds, actual.LayerKinds);
        Assert.Equal(expected.SparseLayers, actual.SparseLayers);
        Assert.Equal(expected.EosTokenIds, actual.EosTokenIds);
        Assert.Equal(expected, actual with
        {
            LayerKinds = expected.LayerKinds,
            SparseLayers = expected.SparseLayers,
            EosTokenIds = expected.EosTokenIds,
        });
    }

    private KimiLinearConfig Read(GgufWriter writer) =>
        ModelLocation.Find(_folder.Write("x.gguf", writer.ToBytes())).LoadConfig();
}
