using System.Runtime.InteropServices;
using KimiLinear.Checkpoints;
using KimiLinear.Pruning;
using KimiLinear.Tensors;
using Xunit;

namespace KimiLinear.Tests.Pruning;

/// <summary>A copy of a model with other biases of its routers; everything else is as it was.</summary>
internal static class MaskedModel
{
    /// <summary>Experts that a plan drops can never be chosen.</summary>
    public static void Write(string sourcePath, string target, PruningPlan plan) =>
        Write(sourcePath, target, (layer, bias) => Mask(bias, plan.Layers.Single(candidate => candidate.LayerIndex == layer).KeptExperts));

    /// <summary>The biases of each sparse layer are changed in place.</summary>
    public static void Write(string sourcePath, string target, Action<int, float[]> change)
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
            writer.Write(tensor.Name, IsBias(tensor) ? Change(tensor, change) : Bytes(tensor));
        }

        writer.Complete();
    }

    private static bool IsBias(StoredTensor tensor) =>
        tensor.Name.EndsWith(WeightNames.SparseMoe.ScoreCorrectionBias, StringComparison.Ordinal);

    private static byte[] Change(StoredTensor tensor, Action<int, float[]> change)
    {
        float[] bias = new float[tensor.Shape.ElementCount];
        StoredValues.CopyTo(tensor, bias);
        Assert.True(WeightNames.TryParseLayer(tensor.Name, out int layer, out _));
        change(layer, bias);
        return MemoryMarshal.AsBytes(bias.AsSpan()).ToArray();
    }

    private static void Mask(float[] bias, IReadOnlyList<int> kept)
    {
        foreach (int expert in Enumerable.Range(0, bias.Length).Except(kept))
        {
            bias[expert] = float.NegativeInfinity;
        }
    }

    private static unsafe byte[] Bytes(StoredTensor tensor) =>
        new ReadOnlySpan<byte>(tensor.Data, checked((int)tensor.ByteCount)).ToArray();
}
