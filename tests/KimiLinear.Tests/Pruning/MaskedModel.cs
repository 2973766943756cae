using System.Runtime.InteropServices;
using KimiLinear.Checkpoints;
using KimiLinear.Pruning;
using KimiLinear.Tensors;
using Xunit;

namespace KimiLinear.Tests.Pruning;

/// <summary>A copy of a model in which the experts that a plan drops can never be chosen; everything else is as it was.</summary>
internal static class MaskedModel
{
    public static void Write(string sourcePath, string target, PruningPlan plan)
    {
        Directory.CreateDirectory(target);
        File.Copy(Path.Combine(sourcePath, "config.json"), Path.Combine(target, "config.json"));
        using Checkpoint source = Checkpoint.Open(sourcePath);
        using SafetensorsWriter writer = new(Path.Combine(target, "model.safetensors"));
        foreach (StoredTensor tensor in source.Tensors)
        {
            writer.Declare(tensor.Name, IsBias(tensor) ? DataType.Float32 : tensor.DataType, tensor.Shape.Lengths);
        }

        foreach (StoredTensor tensor in source.Tensors)
        {
            writer.Write(tensor.Name, IsBias(tensor) ? Mask(tensor, plan) : Bytes(tensor));
        }

        writer.Complete();
    }

    private static bool IsBias(StoredTensor tensor) =>
        tensor.Name.EndsWith(WeightNames.SparseMoe.ScoreCorrectionBias, StringComparison.Ordinal);

    private static byte[] Mask(StoredTensor tensor, PruningPlan plan)
    {
        float[] bias = new float[tensor.Shape.ElementCount];
        StoredValues.CopyTo(tensor, bias);
        Assert.True(WeightNames.TryParseLayer(tensor.Name, out int layer, out _));
        IReadOnlyList<int> kept = plan.Layers.Single(candidate => candidate.LayerIndex == layer).KeptExperts;
        foreach (int expert in Enumerable.Range(0, bias.Length).Except(kept))
        {
            bias[expert] = float.NegativeInfinity;
        }

        return MemoryMarshal.AsBytes(bias.AsSpan()).ToArray();
    }

    private static unsafe byte[] Bytes(StoredTensor tensor) =>
        new ReadOnlySpan<byte>(tensor.Data, checked((int)tensor.ByteCount)).ToArray();
}
