using System.Text.Json.Nodes;
using KimiLinear.Configuration;
using KimiLinear.Tests.Checkpoints;
using Xunit;

namespace KimiLinear.Tests.Configuration;

public sealed class KimiLinearConfigTests
{
    [Fact]
    public void Parse_PublishedModel_GivesItsLayersAndNumbers()
    {
        KimiLinearConfig config = PublishedConfig.Parse();

        Assert.Equal(27, config.LayerCount);
        Assert.Equal([3, 7, 11, 15, 19, 23, 26], Indices(config.LayerKinds, LayerKind.Latent));
        Assert.Equal((20, 7), (config.DeltaLayerCount, config.LatentLayerCount));
        Assert.Equal([0], Indices(config.SparseLayers, false));
        Assert.Equal((163840, 2304, 9216), (config.VocabularySize, config.HiddenDim, config.DenseDim));
        Assert.Equal((32, 128, 4096, 4), (config.DeltaHeadCount, config.DeltaHeadDim, config.DeltaDim, config.ConvolutionWidth));
        Assert.Equal((32, 512, 576, 192), (config.LatentHeadCount, config.LatentRank, config.LatentCacheDim, config.QkHeadDim));
        Assert.Equal((128, 64, 128), (config.QkNopeHeadDim, config.QkRopeHeadDim, config.LatentValueDim));
        Assert.Equal((256, 8, 1, 1024, 1024), (
            config.ExpertCount, config.ActiveExpertCount, config.SharedExpertCount, config.ExpertDim, config.SharedExpertDim));
        Assert.Equal((1, 1, true, 2.446f), (
            config.ExpertGroupCount, config.ActiveExpertGroupCount, config.NormalizeRouterWeights, config.RoutedScalingFactor));
        Assert.Equal((1e-5f, 1048576, "bfloat16", false), (
            config.RmsNormEpsilon, config.MaxContextTokens, config.StatedDataType, config.TieWordEmbeddings));
        Assert.Equal([163586], config.EosTokenIds);
        Assert.Equal((163584, 163839), (config.BosTokenId, config.PadTokenId));
    }

    [Theory]
    [MemberData(nameof(TestModels.Folders), MemberType = typeof(TestModels))]
    public void Load_ModelFolder_EqualsItsFile(string folder)
    {
        string path = TestModels.FullPath(folder);

        KimiLinearConfig config = KimiLinearConfig.Load(path);

        JsonNode file = JsonNode.Parse(File.ReadAllText(Path.Combine(path, "config.json")))!;
        Assert.Equal((int)file["num_hidden_layers"]!, config.LayerCount);
        Assert.Equal(
            file["linear_attn_config"]!["full_attn_layers"]!.AsArray().Select(layer => (int)layer! - 1),
            Indices(config.LayerKinds, LayerKind.Latent));
        Assert.Equal((int)file["num_experts"]!, config.ExpertCount);
        Assert.Equal(config.LayerCount, KimiLinearConfig.Load(Path.Combine(path, "config.json")).LayerCount);
    }

    [Fact]
    public void Parse_TokenIdsOutsideTheVocabulary_AreLeftOut()
    {
        KimiLinearConfig config = KimiLinearConfig.Load(TestModels.Golden("no-shared"));

        Assert.Empty(config.EosTokenIds);
        Assert.Null(config.BosTokenId);
        Assert.Equal(127, config.PadTokenId);
    }

    [Fact]
    public void Parse_ListOfEosIds_KeepsEachOnce() =>
        Assert.Equal([2, 5], PublishedConfig.Parse("eos_token_id", "[2, 5, 2, -1, 99999999999]").EosTokenIds);

    [Theory]
    [InlineData("num_experts", "n_routed_experts")]
    [InlineData("num_experts", "num_local_experts")]
    [InlineData("num_experts_per_token", "num_experts_per_tok")]
    [InlineData("num_shared_experts", "n_shared_experts")]
    [InlineData("num_expert_group", "n_group")]
    [InlineData("moe_renormalize", "norm_topk_prob")]
    [InlineData("moe_router_activation_func", "scoring_func")]
    [InlineData("model_max_length", "max_position_embeddings")]
    [InlineData("num_nextn_predict_layers", "num_mtp_layers")]
    [InlineData("dtype", "torch_dtype")]
    public void Parse_OtherSpelling_MeansTheSame(string name, string alias)
    {
        JsonObject json = PublishedConfig.Json();
        JsonNode value = json[name]!.DeepClone();
        Assert.True(json.Remove(name));
        json[alias] = value;

        KimiLinearConfig config = PublishedConfig.Parse(json);

        AssertSame(PublishedConfig.Parse(), config);
    }

    [Fact]
    public void Parse_TwoSpellingsThatAgree_AreAccepted() =>
        AssertSame(PublishedConfig.Parse(), PublishedConfig.Parse("n_group", "1"));

    [Fact]
    public void Parse_AbsentOptionalKeys_TakeTheirDefaults()
    {
        JsonObject json = PublishedConfig.Json();
        string[] optional =
        [
            "num_expert_group", "topk_group", "moe_layer_freq", "num_shared_experts", "moe_renormalize", "routed_scaling_factor",
            "first_k_dense_replace", "use_grouped_topk", "rms_norm_eps", "hidden_act", "moe_router_activation_func",
            "q_lora_rank", "num_key_value_heads", "num_nextn_predict_layers", "dtype", "tie_word_embeddings",
            "eos_token_id", "bos_token_id", "pad_token_id",
        ];
        Assert.All(optional, name => Assert.True(json.Remove(name)));

        KimiLinearConfig config = PublishedConfig.Parse(json);

        Assert.Equal((1, 1, 0, true, 1f, 1e-6f), (
            config.ExpertGroupCount, config.ActiveExpertGroupCount, config.SharedExpertCount, config.NormalizeRouterWeights,
            config.RoutedScalingFactor, config.RmsNormEpsilon));
        Assert.DoesNotContain(false, config.SparseLayers);
        Assert.Empty(config.EosTokenIds);
        Assert.Null(config.StatedDataType);
    }

    [Fact]
    public void Parse_NativeLayerTypes_EqualTheLists()
    {
        JsonObject json = PublishedConfig.Json();
        int[] latent = [3, 7, 11, 15, 19, 23, 26];
        _ = json.Remove("linear_attn_config");
        _ = json.Remove("first_k_dense_replace");
        json["layer_types"] = new JsonArray([.. Enumerable.Range(0, 27)
            .Select(layer => JsonValue.Create(latent.Contains(layer) ? "full_attention" : "linear_attention"))]);
        json["mlp_layer_types"] = new JsonArray([.. Enumerable.Range(0, 27)
            .Select(layer => JsonValue.Create(layer == 0 ? "dense" : "sparse"))]);
        json["linear_head_dim"] = 128;
        json["linear_num_heads"] = 32;
        json["linear_conv_kernel_dim"] = 4;

        KimiLinearConfig config = PublishedConfig.Parse(json);

        AssertSame(PublishedConfig.Parse(), config);
    }

    [Fact]
    public void Parse_NoExperts_MakesEveryLayerDense()
    {
        KimiLinearConfig config = PublishedConfig.Parse("num_experts", "null");

        Assert.Equal(0, config.ExpertCount);
        Assert.DoesNotContain(true, config.SparseLayers);
    }

    [Fact]
    public void Parse_ExpertsOnEveryOtherLayer_CountsFromTheFirstLayer() =>
        Assert.Equal([2, 4, 6], Indices(PublishedConfig.Parse("moe_layer_freq", "2").SparseLayers, true).Take(3));

    [Fact]
    public void Parse_PredictionLayers_AreTolerated() =>
        AssertSame(PublishedConfig.Parse(), PublishedConfig.Parse("num_nextn_predict_layers", "1"));

    [Fact]
    public void Load_NoSuchFile_SaysWhereItLooked()
    {
        string folder = Directory.CreateTempSubdirectory().FullName;
        try
        {
            FileNotFoundException exception = Assert.Throws<FileNotFoundException>(() => KimiLinearConfig.Load(folder));

            Assert.Contains(Path.Combine(folder, "config.json"), exception.Message, StringComparison.Ordinal);
        }
        finally
        {
            Directory.Delete(folder);
        }
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

    private static IEnumerable<int> Indices<T>(IReadOnlyList<T> values, T wanted) =>
        Enumerable.Range(0, values.Count).Where(index => Equals(values[index], wanted));
}
