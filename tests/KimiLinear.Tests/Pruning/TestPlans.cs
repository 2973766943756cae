using KimiLinear.Checkpoints;
using KimiLinear.Configuration;
using KimiLinear.Model;
using KimiLinear.Pruning;
using KimiLinear.Tensors;
using Xunit;

namespace KimiLinear.Tests.Pruning;

/// <summary>Plans for the models that come with the repository, and what to expect of a model written by one.</summary>
internal static class TestPlans
{
    /// <summary>Keeps three quarters of the experts of each of the router's groups, drawn by the seed.</summary>
    public static PruningPlan For(string modelPath, int seed = 1)
    {
        KimiLinearConfig config = KimiLinearModel.LoadConfig(modelPath);
        int groups = config.ExpertGroupCount;
        int size = config.ExpertCount / groups;
        Random random = new(seed);
        return Of(modelPath, layer =>
        [
            .. Enumerable.Range(0, groups).SelectMany(group => Enumerable.Range(group * size, size)
                .OrderBy(_ => random.Next()).Take(Math.Max(size * 3 / 4, 2)).Order()),
        ]);
    }

    /// <summary>Keeps what the caller says, layer by layer.</summary>
    public static PruningPlan Of(string modelPath, Func<int, int[]> kept)
    {
        KimiLinearConfig config = KimiLinearModel.LoadConfig(modelPath);
        using Checkpoint checkpoint = Checkpoint.Open(modelPath);
        return new PruningPlan
        {
            Model = ObservedModel.Of("model", ModelFingerprint.Of(checkpoint, config), config),
            Criterion = "drawn",
            Layers =
            [
                .. Enumerable.Range(0, config.LayerCount).Where(layer => config.SparseLayers[layer])
                    .Select(layer => new LayerPlan { LayerIndex = layer, KeptExperts = kept(layer) }),
            ],
        };
    }

    /// <summary>Checks that a model is its source without what the plan drops, byte by byte.</summary>
    public static void AssertPruned(string sourcePath, string prunedPath, PruningPlan plan)
    {
        KimiLinearConfig before = KimiLinearModel.LoadConfig(sourcePath);
        KimiLinearConfig after = KimiLinearModel.LoadConfig(prunedPath);
        Assert.Equal(plan.KeptExpertCount, after.ExpertCount);
        using Checkpoint source = Checkpoint.Open(sourcePath);
        using Checkpoint pruned = Checkpoint.Open(prunedPath);
        CheckpointSchema.Validate(pruned, after);
        foreach (StoredTensor tensor in pruned.Tensors)
        {
            if (!WeightNames.TryParseLayer(tensor.Name, out int layer, out string name) || !before.SparseLayers[layer])
            {
                AssertSame(source.Get(tensor.Name), tensor);
                continue;
            }

            IReadOnlyList<int> kept = plan.Layers.Single(candidate => candidate.LayerIndex == layer).KeptExperts;
            if (WeightNames.SparseMoe.TryParseExpert(name, out int expert, out string rest))
            {
                string from = WeightNames.InLayer(layer, $"block_sparse_moe.experts.{kept[expert]}.{rest}");
                AssertSame(source.Get(from), tensor);
            }
            else if (name.StartsWith("block_sparse_moe.gate.", StringComparison.Ordinal))
            {
                AssertRows(source.Get(tensor.Name), tensor, kept);
            }
            else
            {
                AssertSame(source.Get(tensor.Name), tensor);
            }
        }
    }

    private static void AssertSame(StoredTensor expected, StoredTensor actual)
    {
        Assert.Equal(expected.DataType, actual.DataType);
        Assert.Equal(expected.Shape, actual.Shape);
        Assert.True(Bytes(expected).SequenceEqual(Bytes(actual)), $"{actual.Name} differs from {expected.Name}.");
        if (expected.Scales is not null)
        {
            Assert.True(Bytes(expected.Scales).SequenceEqual(Bytes(actual.Scales!)), $"The scales of {actual.Name} differ.");
        }
    }

    private static void AssertRows(StoredTensor expected, StoredTensor actual, IReadOnlyList<int> kept)
    {
        Assert.Equal(expected.DataType, actual.DataType);
        int row = (int)(expected.ByteCount / expected.Shape[0]);
        byte[] rows = [.. kept.SelectMany(expert => Bytes(expected).Slice(expert * row, row).ToArray())];
        Assert.True(rows.AsSpan().SequenceEqual(Bytes(actual)), $"{actual.Name} has other rows than the plan's.");
    }

    private static unsafe ReadOnlySpan<byte> Bytes(StoredTensor tensor) => new(tensor.Data, checked((int)tensor.ByteCount));
}
