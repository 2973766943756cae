using KimiLinear.Tensors;

namespace KimiLinear.Backends;

internal sealed unsafe partial class ReferenceBackend
{
    public override void LatentAttention(
        LatentAttentionWeights weights, Tensor projected, ForwardBatch batch, CacheStorage cache, int latentLayer, Tensor output)
    {
        var storage = (HostCache)cache;
        for (int sequence = 0; sequence < batch.SequenceCount; sequence++)
        {
            float[][] latents = AppendLatents(weights, projected, batch, storage, sequence, latentLayer);
            for (int head = 0; head < Config.LatentHeadCount; head++)
            {
                float[][] keyValues = [.. latents.Select(latent => ExpandHead((HostMatrix)weights.KeyValueUp, head, latent))];
                for (int t = batch.Offset(sequence); t < batch.Offset(sequence + 1); t++)
                {
                    int position = batch.CachedTokens(sequence) + t - batch.Offset(sequence);
                    AttendHead(
                        Row(projected, t).Slice(head * Config.QkHeadDim, Config.QkHeadDim),
                        keyValues.AsSpan(0, position + 1),
                        Row(output, t).Slice(head * Config.LatentValueDim, Config.LatentValueDim));
                }
            }
        }
    }

    /// <summary>Attention of one query over the keys and values it may see.</summary>
    internal static void AttendHead(
        ReadOnlySpan<float> query,       // [Nope + P]
        ReadOnlySpan<float[]> keyValues, // [S] of [Nope + P + V]
        Span<float> output)              // [V]
    {
        float[] scores = new float[keyValues.Length];
        for (int s = 0; s < scores.Length; s++)
        {
            float score = 0;
            for (int i = 0; i < query.Length; i++)
            {
                score += query[i] * keyValues[s][i];
            }

            scores[s] = score / MathF.Sqrt(query.Length);
        }

        Softmax(scores);
        output.Clear();
        for (int s = 0; s < scores.Length; s++)
        {
            for (int i = 0; i < output.Length; i++)
            {
                output[i] += scores[s] * keyValues[s][query.Length + i];
            }
        }
    }

    // Normalises and caches the new tokens' rows, and returns those of the whole sequence.
    private float[][] AppendLatents(
        LatentAttentionWeights weights, Tensor projected, ForwardBatch batch, HostCache storage, int sequence, int latentLayer)
    {
        int rank = Config.LatentRank;
        int[] pages = batch.PageTable(sequence);
        int cached = batch.CachedTokens(sequence);
        for (int t = 0; t < batch.TokenCountOf(sequence); t++)
        {
            Span<float> latent = Row(projected, batch.Offset(sequence) + t)[^Config.LatentCacheDim..];
            int position = cached + t;
            byte* page = storage.Page(pages[position / CacheLayout.PageTokens], latentLayer);
            float[] row = [.. RmsNorm(latent[..rank], Vector(weights.LatentNorm)), .. latent[rank..]];
            LatentRows.Write(storage.Layout, page, position % CacheLayout.PageTokens, row);
        }

        float[][] latents = new float[cached + batch.TokenCountOf(sequence)][];
        for (int s = 0; s < latents.Length; s++)
        {
            latents[s] = new float[Config.LatentCacheDim];
            byte* page = storage.Page(pages[s / CacheLayout.PageTokens], latentLayer);
            LatentRows.Read(storage.Layout, page, s % CacheLayout.PageTokens, latents[s]);
        }

        return latents;
    }

    // One head's key (its own part, then the one all heads share) and value of one cached token.
    private float[] ExpandHead(HostMatrix keyValueUp, int head, ReadOnlySpan<float> latent)
    {
        int nope = Config.QkNopeHeadDim;
        int rows = nope + Config.LatentValueDim;
        float[] up = Project(latent[..Config.LatentRank], keyValueUp, head * rows, rows);
        return [.. up[..nope], .. latent[Config.LatentRank..], .. up[nope..]];
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
