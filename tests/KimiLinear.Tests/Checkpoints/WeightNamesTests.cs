using KimiLinear.Checkpoints;
using KimiLinear.Configuration;
using KimiLinear.Model;
using KimiLinear.Tensors;
using Xunit;

namespace KimiLinear.Tests.Checkpoints;

public sealed class WeightNamesTests
{
    /// <summary>The layers of a model are found by the names of its tensors; the embedding, the last norm and the head are none.</summary>
    [Theory]
    [MemberData(nameof(TestModels.Folders), MemberType = typeof(TestModels))]
    public void TryParseLayer_TensorsOfAModel_FindsEveryLayerAndNothingElse(string folder)
    {
        string path = TestModels.FullPath(folder);
        KimiLinearConfig config = KimiLinearModel.LoadConfig(path);
        using Checkpoint checkpoint = Checkpoint.Open(path);
        SortedSet<int> layers = [];
        SortedSet<string> outside = new(StringComparer.Ordinal);
        foreach (StoredTensor tensor in checkpoint.Tensors)
        {
            if (WeightNames.TryParseLayer(tensor.Name, out int layer, out string name))
            {
                layers.Add(layer);
                Assert.Equal(tensor.Name, WeightNames.InLayer(layer, name));
            }
            else
            {
                outside.Add(tensor.Name);
            }
        }

        Assert.Equal(Enumerable.Range(0, config.LayerCount), layers);
        string[] none = config.TieWordEmbeddings
            ? ["model.embed_tokens.weight", "model.norm.weight"]
            : ["lm_head.weight", "model.embed_tokens.weight", "model.norm.weight"];
        Assert.Equal(none, outside);
    }

    [Theory]
    [InlineData("model.layers.0.mlp.gate_proj.weight", 0, "mlp.gate_proj.weight")]
    [InlineData("model.layers.2.block_sparse_moe.experts.13.w1.weight", 2, "block_sparse_moe.experts.13.w1.weight")]
    [InlineData("model.layers.26.input_layernorm.weight", 26, "input_layernorm.weight")]
    [InlineData("model.embed_tokens.weight", -1, "")]
    [InlineData("model.norm.weight", -1, "")]
    [InlineData("lm_head.weight", -1, "")]
    [InlineData("model.layers.x.mlp.gate_proj.weight", -1, "")]
    [InlineData("model.layers.-1.mlp.gate_proj.weight", -1, "")]
    [InlineData("other.model.layers.1.mlp.gate_proj.weight", -1, "")]
    [InlineData("model.layers.1", -1, "")]
    public void TryParseLayer_Name_IsItsLayerOrNone(string fullName, int layer, string name)
    {
        bool isLayer = WeightNames.TryParseLayer(fullName, out int found, out string rest);

        Assert.Equal(layer >= 0, isLayer);
        Assert.Equal(name, rest);
        if (isLayer)
        {
            Assert.Equal(layer, found);
        }
    }
}
