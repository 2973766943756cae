using KimiLinear.Tensors;
using TorchSharp;

namespace KimiLinear.Backends;

internal sealed partial class TorchBackend
{
    public override void LatentAttention(
        LatentAttentionWeights weights, Tensor projected, ForwardBatch batch, CacheStorage cache, int latentLayer, Tensor output)
    {
        torch.Tensor keyValueUp = TorchTensor.Of(weights.KeyValueUp);
        for (int sequence = 0; sequence < batch.SequenceCount; sequence++)
        {
            using DisposeScope scope = torch.NewDisposeScope();
            int count = batch.TokenCountOf(sequence);
            torch.Tensor rows = TorchTensor.Of(projected).narrow(0, batch.Offset(sequence), count);
            torch.Tensor pages = ((TorchCache)cache).Pages(latentLayer);
            Append(weights, rows, batch, sequence, pages);
            torch.Tensor latents = Gather(batch, sequence, pages);
            int heads = Config.LatentHeadCount;
            torch.Tensor queries = rows.narrow(1, 0, heads * Config.QkHeadDim)
                .reshape(count, heads, Config.QkHeadDim)
                .transpose(0, 1); // [H, T, Nope + P]
            torch.Tensor up = keyValueUp.view(heads, Config.QkNopeHeadDim + Config.LatentValueDim, Config.LatentRank);
            torch.Tensor attended = count <= _forms.AbsorbedTokens
                ? AttendAbsorbed(queries, latents, up, batch.CachedTokens(sequence))
                : AttendExpanded(queries, latents, up, batch.CachedTokens(sequence));
            TorchTensor.Of(output).narrow(0, batch.Offset(sequence), count)
                .copy_(attended.transpose(0, 1).reshape(count, heads * Config.LatentValueDim));
        }
    }

    // Normalises the new tokens' latent parts and stores their rows.
    private void Append(LatentAttentionWeights weights, torch.Tensor rows, ForwardBatch batch, int sequence, torch.Tensor pages)
    {
        int rank = Config.LatentRank;
        torch.Tensor latent = rows.narrow(1, rows.shape[1] - Config.LatentCacheDim, Config.LatentCacheDim);
        torch.Tensor normed = RmsNorm(latent.narrow(1, 0, rank), TorchTensor.Of(weights.LatentNorm));
        torch.Tensor cached = torch.cat([normed, latent.narrow(1, rank, Config.LatentCacheDim - rank)], 1).to(pages.dtype);
        int[] table = batch.PageTable(sequence);
        int[] places = new int[cached.shape[0]];
        for (int t = 0; t < places.Length; t++)
        {
            int position = batch.CachedTokens(sequence) + t;
            places[t] = (table[position / CacheLayout.PageTokens] * CacheLayout.PageTokens) + (position % CacheLayout.PageTokens);
        }

        pages.view(-1, Config.LatentCacheDim).index_copy_(0, Indices(places), cached);
    }

    // All rows of a sequence, in order; without a copy where its pages follow each other.
    private torch.Tensor Gather(ForwardBatch batch, int sequence, torch.Tensor pages) // [S, R + P]
    {
        int length = batch.CachedTokens(sequence) + batch.TokenCountOf(sequence);
        ReadOnlySpan<int> table = batch.PageTable(sequence).AsSpan(0, CacheLayout.PagesFor(length));
        bool follow = true;
        for (int i = 1; i < table.Length; i++)
        {
            follow &= table[i] == table[0] + i;
        }

        torch.Tensor gathered = follow
            ? pages.narrow(0, table[0], table.Length)
            : pages.index_select(0, Indices(table));
        return gathered.view(-1, Config.LatentCacheDim).narrow(0, 0, length).to(torch.float32);
    }

    // Queries are carried into the latent space, and what was attended to out of it.
    private torch.Tensor AttendAbsorbed(torch.Tensor queries, torch.Tensor latents, torch.Tensor up, int cachedTokens)
    {
        int nope = Config.QkNopeHeadDim;
        long heads = queries.shape[0];
        long count = queries.shape[1];
        torch.Tensor keyUp = up.narrow(1, 0, nope).to(torch.float32); // [H, Nope, R]
        torch.Tensor valueUp = up.narrow(1, nope, Config.LatentValueDim).to(torch.float32); // [H, V, R]
        torch.Tensor values = latents.narrow(1, 0, Config.LatentRank); // [S, R]
        torch.Tensor inLatents = _products.MultiplyEach(queries.narrow(2, 0, nope), keyUp); // [H, T, R]
        torch.Tensor absorbed = torch.cat([inLatents, queries.narrow(2, nope, Config.QkRopeHeadDim)], 2);
        return ByQueries(count, heads * latents.shape[0], (start, rows) =>
        {
            torch.Tensor scores = _products.Multiply(absorbed.narrow(1, start, rows).reshape(heads * rows, -1), latents.t());
            torch.Tensor weights = Softmax(scores.view(heads, rows, -1), cachedTokens + start);
            torch.Tensor read = _products.Multiply(weights.view(heads * rows, -1), values).view(heads, rows, -1);
            return _products.MultiplyEach(read, valueUp.transpose(1, 2)); // [H, rows, V]
        });
    }

    // Every cached row becomes the keys and values of some heads.
    private torch.Tensor AttendExpanded(torch.Tensor queries, torch.Tensor latents, torch.Tensor up, int cachedTokens)
    {
        int nope = Config.QkNopeHeadDim;
        long length = latents.shape[0];
        torch.Tensor values = latents.narrow(1, 0, Config.LatentRank);
        torch.Tensor shared = latents.narrow(1, Config.LatentRank, Config.QkRopeHeadDim); // [S, P]
        long perHead = length * (nope + Config.QkRopeHeadDim + Config.LatentValueDim);
        long group = Math.Clamp(_forms.ExpandedLimit / perHead, 1, queries.shape[0]);
        List<torch.Tensor> outputs = [];
        for (long head = 0; head < queries.shape[0]; head += group)
        {
            long heads = Math.Min(group, queries.shape[0] - head);
            torch.Tensor groupQueries = queries.narrow(0, head, heads);
            torch.Tensor expanded = _products.Project(values, up.narrow(0, head, heads).reshape(-1, Config.LatentRank))
                .view(length, heads, nope + Config.LatentValueDim)
                .transpose(0, 1); // [h, S, Nope + V]
            torch.Tensor keys = torch.cat(
                [expanded.narrow(2, 0, nope), shared.unsqueeze(0).expand(heads, length, Config.QkRopeHeadDim)], 2);
            torch.Tensor headValues = expanded.narrow(2, nope, Config.LatentValueDim);
            outputs.Add(ByQueries(queries.shape[1], heads * length, (start, rows) =>
            {
                torch.Tensor scores = _products.MultiplyEach(groupQueries.narrow(1, start, rows), keys.transpose(1, 2));
                return _products.MultiplyEach(Softmax(scores, cachedTokens + start), headValues);
            }));
        }

        return torch.cat(outputs, 0);
    }

    // Some queries after others, so that their scores fit; the parts are joined again.
    private torch.Tensor ByQueries(long count, long scoresPerQuery, Func<long, long, torch.Tensor> attend)
    {
        long step = Math.Clamp(_forms.ScoreLimit / scoresPerQuery, 1, count);
        if (step == count)
        {
            return attend(0, count);
        }

        List<torch.Tensor> parts = [];
        for (long start = 0; start < count; start += step)
        {
            using DisposeScope scope = torch.NewDisposeScope();
            parts.Add(attend(start, Math.Min(step, count - start)).MoveToOuterDisposeScope());
        }

        return torch.cat(parts, 1);
    }

    // Over the rows each query may see: those before it and its own.
    private torch.Tensor Softmax(torch.Tensor scores, long firstPosition) // [h, T, S]
    {
        torch.Tensor scaled = scores.mul(_latentScale);
        long count = scaled.shape[1];
        long length = scaled.shape[2];
        if (count > 1 || firstPosition + 1 < length)
        {
            torch.Tensor keys = Indices([.. Enumerable.Range(0, (int)length)]).unsqueeze(0);
            torch.Tensor positions = Indices([.. Enumerable.Range((int)firstPosition, (int)count)]).unsqueeze(1);
            scaled = scaled.masked_fill(keys.gt(positions).unsqueeze(0), TorchArithmetic.NegativeInfinity);
        }

        return scaled.softmax(-1);
    }
}
