using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using KimiLinear.Checkpoints;
using KimiLinear.Configuration;
using KimiLinear.Tensors;

namespace KimiLinear.Pruning;

/// <summary>Tells models apart by their routers, which is quick even where the weights are large.</summary>
/// <remarks>
/// SHA-256 over, for each sparse layer, a line "layer L E D", the router's rows and the correction bias as little-endian float32.
/// Routers are stored exactly in all formats, so copies of one model agree whatever their format.
/// </remarks>
internal static class ModelFingerprint
{
    public static unsafe string Of(Checkpoint checkpoint, KimiLinearConfig config)
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        float[] values = new float[config.ExpertCount * config.HiddenDim];
        for (int layer = 0; layer < config.LayerCount; layer++)
        {
            if (!config.SparseLayers[layer])
            {
                continue;
            }

            hash.AppendData(Encoding.ASCII.GetBytes(
                string.Create(CultureInfo.InvariantCulture, $"layer {layer} {config.ExpertCount} {config.HiddenDim}\n")));
            StoredTensor router = checkpoint.Get(WeightNames.InLayer(layer, WeightNames.SparseMoe.Router));
            fixed (float* rows = values)
            {
                StoredRows.Read(router, 0, config.ExpertCount, rows);
            }

            hash.AppendData(MemoryMarshal.AsBytes(values.AsSpan()));
            Span<float> bias = values.AsSpan(0, config.ExpertCount);
            StoredValues.CopyTo(
                checkpoint.Get(WeightNames.InLayer(layer, WeightNames.SparseMoe.ScoreCorrectionBias)), bias);
            hash.AppendData(MemoryMarshal.AsBytes(bias));
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
