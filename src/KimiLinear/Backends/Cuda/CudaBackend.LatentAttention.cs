using KimiLinear.Tensors;

namespace KimiLinear.Backends;

internal sealed unsafe partial class CudaBackend
{
    // Keys and values of so many tokens of the context are expanded at a time.
    private const int LatentRunKeys = 2048;

    public override void LatentAttention(
        LatentAttentionWeights weights, Tensor projected, ForwardBatch batch, CacheStorage cache, int latentLayer, Tensor output)
    {
        LatentPages pages = new()
        {
            Pages = _step.Pages,
            PageStarts = _step.PageStarts,
            Sequences = _step.Sequences,
            Positions = _step.Positions,
            LayerOffset = latentLayer * cache.Layout.LayerPageBytes,
            IsBFloat16 = cache.Layout.Precision == LatentPrecision.BFloat16 ? 1 : 0,
        };

        // Sequences of many new tokens one by one, those between them together.
        int first = 0;
        for (int sequence = 0; sequence < batch.SequenceCount; sequence++)
        {
            if (ExpandsLatents(batch.TokenCountOf(sequence)))
            {
                AttendAbsorbed(weights, pages, projected, first, batch.Offset(sequence), output);
                AttendExpanded(weights, pages, projected, batch, sequence, output);
                first = batch.Offset(sequence + 1);
            }
        }

        AttendAbsorbed(weights, pages, projected, first, _step.TokenCount, output);
    }

    // Tokens from the first to before the end.
    private void AttendAbsorbed(
        LatentAttentionWeights weights, in LatentPages pages, Tensor projected, int first, int end, Tensor output)
    {
        // A piece caches its rows before it looks at them, and later pieces see those of earlier ones.
        for (; first < end; first += LatentPieceTokens)
        {
            AttendPiece(
                weights,
                PagesFrom(pages, first),
                Math.Min(LatentPieceTokens, end - first),
                Row(projected, first),
                Row(output, first));
        }
    }

    // All new tokens of a sequence, over one run of its keys after the other.
    private void AttendExpanded(
        LatentAttentionWeights weights, in LatentPages pages, Tensor projected, ForwardBatch batch, int sequence, Tensor output)
    {
        int first = batch.Offset(sequence);
        int tokenCount = batch.TokenCountOf(sequence);
        int keyCount = batch.CachedTokens(sequence) + tokenCount;
        nint input = Row(projected, first);
        _kernels.LatentAppend(
            _stream, LatentPreparation(weights, PagesFrom(pages, first), input), tokenCount);
        for (int firstKey = 0; firstKey < keyCount; firstKey += LatentRunKeys)
        {
            int keys = Math.Min(LatentRunKeys, keyCount - firstKey);
            ExpandKeys(weights, pages, sequence, firstKey, keys);
            _prefill.ExpandedAttend(
                _stream,
                new ExpandedAttendArguments
                {
                    Projected = input,
                    KeyValues = _scratch.Parts.Address,
                    SharedKeys = _scratch.SharedKeyParts.Address,
                    Output = Row(output, first),
                    Scales = _scratch.Scales.Address,
                    Heads = Config.LatentHeadCount,
                    KeyDim = Config.QkNopeHeadDim,
                    SharedDim = Config.QkRopeHeadDim,
                    ValueDim = Config.LatentValueDim,
                    ProjectedLength = weights.ProjectionDim,
                    Tokens = tokenCount,
                    Position = batch.CachedTokens(sequence),
                    FirstKey = firstKey,
                    Keys = keys,
                },
                PartCount());
        }
    }

    // Keys and values of a run of a sequence's tokens, in parts.
    private void ExpandKeys(LatentAttentionWeights weights, in LatentPages pages, int sequence, int firstKey, int keys)
    {
        int parts = PartCount();
        _prefill.GatherLatent(
            _stream,
            new GatherLatentArguments
            {
                Cache = pages,
                Latents = _scratch.LatentParts.Address,
                SharedKeys = _scratch.SharedKeyParts.Address,
                Sequence = sequence,
                FirstKey = firstKey,
                Keys = keys,
                Rank = Config.LatentRank,
                SharedDim = Config.QkRopeHeadDim,
                PartCount = parts,
            });
        Multiply(_scratch.LatentParts.Address, weights.KeyValueUp, keys, _scratch.KeyValues.Address, adds: false, parts);
        Split(_scratch.KeyValues.Address, norm: null, (int)weights.KeyValueUp.Shape[0], keys, rows: 0, parts);
    }

    private bool ExpandsLatents(int tokenCount) => _expandsLatents && tokenCount >= FewestTogether;

    private static LatentPages PagesFrom(LatentPages pages, int firstToken)
    {
        pages.Sequences += firstToken * sizeof(int);
        pages.Positions += firstToken * sizeof(int);
        return pages;
    }

    private LatentPrepareArguments LatentPreparation(LatentAttentionWeights weights, in LatentPages pages, nint projected) => new()
    {
        Cache = pages,
        Projected = projected,
        Norm = CudaTensor.AddressOf(weights.LatentNorm),
        KeyValueUp = CudaTensor.AddressOf(weights.KeyValueUp),
        Queries = _scratch.Queries.Address,
        Heads = Config.LatentHeadCount,
        KeyDim = Config.QkNopeHeadDim,
        SharedDim = Config.QkRopeHeadDim,
        Rank = Config.LatentRank,
        ValueDim = Config.LatentValueDim,
        Epsilon = Config.RmsNormEpsilon,
    };

    private void AttendPiece(LatentAttentionWeights weights, in LatentPages pages, int tokenCount, nint projected, nint output)
    {
        int heads = Config.LatentHeadCount;
        int splits = _kernels.LatentSplitCount(tokenCount, heads, Config.LatentCacheDim);
        _kernels.LatentPrepare(_stream, LatentPreparation(weights, pages, projected), tokenCount);
        _kernels.LatentAttend(
            _stream,
            new LatentAttendArguments
            {
                Cache = pages,
                Queries = _scratch.Queries.Address,
                Sums = _scratch.Sums.Address,
                Scales = _scratch.Scales.Address,
                Heads = heads,
                Rank = Config.LatentRank,
                RowLength = Config.LatentCacheDim,
            },
            tokenCount,
            splits);
        _kernels.LatentCombine(
            _stream,
            new LatentCombineArguments
            {
                Sums = _scratch.Sums.Address,
                Scales = _scratch.Scales.Address,
                KeyValueUp = CudaTensor.AddressOf(weights.KeyValueUp),
                Output = output,
                Heads = heads,
                KeyDim = Config.QkNopeHeadDim,
                Rank = Config.LatentRank,
                ValueDim = Config.LatentValueDim,
                Splits = splits,
            },
            tokenCount);
    }
}
