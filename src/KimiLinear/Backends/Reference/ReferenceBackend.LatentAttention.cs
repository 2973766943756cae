using KimiLinear.Tensors;

namespace KimiLinear.Backends;

internal sealed unsafe partial class ReferenceBackend
{
    public override void LatentAttention(
        LatentAttentionWeights weights, Tensor projected, ForwardBatch batch, CacheStorage cache, int latentLayer, Tensor output)
    {
        var storage = (HostCache)cache;
        int rank = Config.LatentRank;
        for (int sequence = 0; sequence < batch.SequenceCount; sequence++)
        {
            int[] pages = batch.PageTable(sequence);
            for (int t = batch.Offset(sequence); t < batch.Offset(sequence + 1); t++)
            {
                int position = batch.CachedTokens(sequence) + t - batch.Offset(sequence);
                Span<float> row = Row(projected, t);
                Span<float> latent = row[^(rank + Config.QkRopeHeadDim)..];
                Span<float> cached = new(storage.Row(pages, position, latentLayer), Config.LatentCacheDim);
                RmsNorm(latent[..rank], Vector(weights.LatentNorm)).CopyTo(cached);
                latent[rank..].CopyTo(cached[rank..]);

                for (int head = 0; head < Config.LatentHeadCount; head++)
                {
                    AttendHead(
                        (HostMatrix)weights.KeyValueUp,
                        head,
                        row.Slice(head * Config.QkHeadDim, Config.QkHeadDim),
                        position,
                        storage,
                        pages,
                        latentLayer,
                        Row(output, t).Slice(head * Config.LatentValueDim, Config.LatentValueDim));
                }
            }
        }
    }

    // Every key and value is expanded from its latent row, as the equations say; nothing is shared between queries.
    private void AttendHead(
        HostMatrix keyValueUp, // [H·(Nope + V), R]
        int head,
        ReadOnlySpan<float> query, // [Nope + P]
        int position,
        HostCache storage,
        int[] pages,
        int latentLayer,
        Span<float> output) // [V]
    {
        int rank = Config.LatentRank;
        int firstRow = head * (Config.QkNopeHeadDim + Config.LatentValueDim);
        float[] scores = new float[position + 1];
        float[][] values = new float[position + 1][];
        float scale = 1 / MathF.Sqrt(Config.QkHeadDim);
        for (int s = 0; s <= position; s++)
        {
            ReadOnlySpan<float> cached = new(storage.Row(pages, s, latentLayer), Config.LatentCacheDim);
            float[] keyValue = Project(cached[..rank], keyValueUp, firstRow, Config.QkNopeHeadDim + Config.LatentValueDim);
            float score = 0;
            for (int i = 0; i < Config.QkNopeHeadDim; i++)
            {
                score += query[i] * keyValue[i];
            }

            for (int i = 0; i < Config.QkRopeHeadDim; i++)
            {
                score += query[Config.QkNopeHeadDim + i] * cached[rank + i];
            }

            scores[s] = score * scale;
            values[s] = keyValue[Config.QkNopeHeadDim..];
        }

        Softmax(scores);
        output.Clear();
        for (int s = 0; s <= position; s++)
        {
            for (int i = 0; i < output.Length; i++)
            {
                output[i] += scores[s] * values[s][i];
            }
        }
    }

    private static void Softmax(Span<float> scores)
    {
        float max = float.NegativeInfinity;
        foreach (float score in scores)
        {
            max = MathF.Max(max, score);
        }

        float sum = 0;
        foreach (ref float score in scores)
        {
            score = MathF.Exp(score - max);
            sum += score;
        }

        foreach (ref float score in scores)
        {
            score /= sum;
        }
    }
}
