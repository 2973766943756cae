namespace KimiLinear.Backends;

/// <summary>Latent attention with keys and values expanded page by page, multiplied as integers of 16 bits.</summary>
/// <remarks>
/// Queries and keys are rounded in blocks of 32 values with scales of their own, so that a large value spoils its neighbours
/// only; values have one scale a row.
/// </remarks>
internal unsafe ref struct ExpandedIntegers<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    // Queries whose scores against one page are in scratch at a time.
    private const int BlockTokens = 64;

    // Values of a query or key that share a scale.
    private const int ScaleBlock = 32;

    private const int PageTokens = CacheLayout.PageTokens;

    private readonly ref readonly AttentionTask<TSimd, TVector> _task;
    private readonly int _nope;
    private readonly int _shared;
    private readonly int _keyLength;      // integers of a key, both parts padded
    private readonly int _valueLength;    // integers of a value, padded
    private readonly int _paddedTokens;
    private readonly short* _queries;     // [T, key]
    private readonly float* _queryScales; // [key / 32, T]
    private readonly float* _maxima;      // [T]
    private readonly float* _sums;        // [T]
    private readonly float* _contexts;    // [T, value]
    private readonly float* _expanded;    // [PageTokens, Nope] or [PageTokens, V]
    private readonly short* _integers;    // [PageTokens, key or value]
    private readonly float* _keys;        // [key / 2, PageTokens], lanes of two integers
    private readonly float* _keyScales;   // [key / 32, PageTokens]
    private readonly float* _values;      // [value / 64, PageTokens / 2, 64], lanes of two integers
    private readonly float* _valueScales; // [PageTokens]
    private PageSoftmax<TSimd, TVector> _softmax;

    private ExpandedIntegers(in AttentionTask<TSimd, TVector> task)
    {
        _task = ref task;
        _nope = task.Config.QkNopeHeadDim;
        _shared = task.Config.QkRopeHeadDim;
        int valueDim = task.Config.LatentValueDim;
        _keyLength = CacheLayout.PaddedLength(_nope) + CacheLayout.PaddedLength(_shared);
        _valueLength = CacheLayout.PaddedLength(valueDim);
        _paddedTokens = (task.TokenCount + BlockTokens - 1) / BlockTokens * BlockTokens;
        long tokens = _paddedTokens;
        int scaleBlocks = _keyLength / ScaleBlock;
        int widest = Math.Max(_keyLength, _valueLength);
        long length = (tokens * ((_keyLength / 2) + scaleBlocks + 2 + _valueLength))
            + (PageTokens * ((long)Math.Max(_nope, valueDim) + (widest / 2) + (_keyLength / 2) + scaleBlocks + 1))
            + (PageTokens / 2 * ((long)_valueLength + PairProduct<TSimd, TVector>.BlockWidth));
        float* next = task.Scratch.Get(length + PageSoftmax<TSimd, TVector>.ScratchLength(BlockTokens));
        _queries = (short*)Take(ref next, tokens * (_keyLength / 2));
        _queryScales = Take(ref next, tokens * scaleBlocks);
        _maxima = Take(ref next, tokens);
        _sums = Take(ref next, tokens);
        _contexts = Take(ref next, tokens * _valueLength);
        _expanded = Take(ref next, PageTokens * (long)Math.Max(_nope, valueDim));
        _integers = (short*)Take(ref next, PageTokens * (widest / 2L));
        _keys = Take(ref next, PageTokens * (_keyLength / 2L));
        _keyScales = Take(ref next, PageTokens * (long)scaleBlocks);
        _values = Take(ref next, PageTokens / 2 * ((long)_valueLength + PairProduct<TSimd, TVector>.BlockWidth));
        _valueScales = Take(ref next, PageTokens);
        _softmax = PageSoftmax<TSimd, TVector>.Create(next, BlockTokens);
    }

    public static void Run(in AttentionTask<TSimd, TVector> task)
    {
        ExpandedIntegers<TSimd, TVector> attention = new(task);
        for (int head = task.FirstHead; head < task.FirstHead + task.HeadCount; head++)
        {
            attention.RunHead(head);
        }
    }

    private static float* Take(ref float* next, long length)
    {
        float* taken = next;
        next += length;
        return taken;
    }

    private void RunHead(int head)
    {
        QuantiseQueries(head);
        new Span<float>(_maxima, _paddedTokens).Fill(PageSoftmax<TSimd, TVector>.NoScore);
        new Span<float>(_sums, _paddedTokens).Clear();
        new Span<float>(_contexts, _paddedTokens * _valueLength).Clear();
        for (int page = 0; page < _task.PageCount; page++)
        {
            int count = _task.VisibleRows(_task.TokenCount - 1, page);
            float* rows = _task.Rows(page, count);
            ExpandKeys(head, rows, count);
            ExpandValues(head, rows, count);

            // Tokens of earlier blocks come too early to see the page.
            int first = Math.Max(0, (page * PageTokens) - _task.CachedTokens) / BlockTokens * BlockTokens;
            for (int block = first; block < _task.TokenCount; block += BlockTokens)
            {
                AttendBlock(block, page, count);
            }
        }

        int valueDim = _task.Config.LatentValueDim;
        for (int t = 0; t < _task.TokenCount; t++)
        {
            float* context = _contexts + ((long)t * _valueLength);
            VectorKernel<TSimd, TVector>.Scale(context, 1 / _sums[t], valueDim);
            float* output = _task.Output + (t * _task.OutputStride) + ((long)head * valueDim);
            new ReadOnlySpan<float>(context, valueDim).CopyTo(new Span<float>(output, valueDim));
        }
    }

    private readonly void QuantiseQueries(int head)
    {
        float toExponent = 1 / (MathF.Sqrt(_task.Config.QkHeadDim) * MathF.Log(2));
        new Span<float>(_queryScales, _paddedTokens * (_keyLength / ScaleBlock)).Clear();
        new Span<short>(
            _queries + ((long)_task.TokenCount * _keyLength), (_paddedTokens - _task.TokenCount) * _keyLength).Clear();
        for (int t = 0; t < _task.TokenCount; t++)
        {
            float* source = _task.Queries + (t * _task.QueryStride) + ((long)head * _task.Config.QkHeadDim);
            short* target = _queries + ((long)t * _keyLength);
            for (int block = 0; block < _keyLength / ScaleBlock; block++)
            {
                (int start, int length) = Part(block);
                _queryScales[(block * _paddedTokens) + t] = toExponent * Int16Kernel<TSimd, TVector>.QuantiseForSum(
                    source + start, length, target + (block * ScaleBlock), ScaleBlock);
            }
        }
    }

    private readonly void ExpandKeys(int head, float* rows, int count)
    {
        int rowLength = _task.Config.LatentCacheDim;
        MatMulKernel<TSimd, TVector>.Multiply(
            new MatMulInput(rows, rowLength, count),
            _task.KeyValueUp,
            _task.KeyRow(head),
            _nope,
            _task.Panel,
            new MatMulOutput(_expanded, _nope));
        for (int s = 0; s < count; s++)
        {
            for (int block = 0; block < _keyLength / ScaleBlock; block++)
            {
                (int start, int length) = Part(block);
                float* source = start < _nope
                    ? _expanded + ((long)s * _nope) + start
                    : rows + ((long)s * rowLength) + _task.Config.LatentRank + start - _nope;
                _keyScales[(block * PageTokens) + s] = Int16Kernel<TSimd, TVector>.Quantise(
                    source,
                    length,
                    LatentRows.LargestInteger,
                    _integers + ((long)s * _keyLength) + (block * ScaleBlock),
                    ScaleBlock);
            }
        }

        // Two values of one key to a lane, keys side by side.
        for (int pair = 0; pair < _keyLength / 2; pair++)
        {
            float* source = (float*)_integers + pair;
            float* target = _keys + ((long)pair * PageTokens);
            for (int s = 0; s < count; s++)
            {
                target[s] = source[s * (_keyLength / 2)];
            }
        }
    }

    private readonly void ExpandValues(int head, float* rows, int count)
    {
        int valueDim = _task.Config.LatentValueDim;
        MatMulKernel<TSimd, TVector>.Multiply(
            new MatMulInput(rows, _task.Config.LatentCacheDim, count),
            _task.KeyValueUp,
            _task.KeyRow(head) + _nope,
            valueDim,
            _task.Panel,
            new MatMulOutput(_expanded, valueDim));
        for (int s = 0; s < count; s++)
        {
            _valueScales[s] = Int16Kernel<TSimd, TVector>.Quantise(
                _expanded + ((long)s * valueDim),
                valueDim,
                LatentRows.LargestInteger,
                _integers + ((long)s * _valueLength),
                _valueLength);
        }

        Int16Kernel<TSimd, TVector>.PackRowPairs(_integers, _valueLength, (count + 1) / 2, _valueLength, _values);
    }

    private void AttendBlock(int block, int page, int visible)
    {
        int count = Math.Min(BlockTokens, (_task.TokenCount - block + 3) / 4 * 4);
        for (int part = 0; part < _keyLength / ScaleBlock; part++)
        {
            PairProduct<TSimd, TVector>.Multiply(new PairProduct<TSimd, TVector>.Operands
            {
                Left = _queries + ((long)block * _keyLength) + (part * ScaleBlock),
                LeftStride = _keyLength,
                RowCount = count,
                Right = _keys + ((long)part * (ScaleBlock / 2) * PageTokens),
                PairCount = (Part(part).Length + 1) / 2,
                Width = PageTokens,
                RowScales = _queryScales + ((long)part * _paddedTokens) + block,
                ColumnScales = _keyScales + ((long)part * PageTokens),
                Sets = part == 0,
                Output = _softmax.Scores,
                OutputStride = PageTokens,
            });
        }

        _softmax.SetValueScales(_valueScales, visible);
        int firstSeen = _task.CachedTokens + block + 1 - (page * PageTokens);
        _softmax.Weigh(count, firstSeen, int.MaxValue, _maxima + block, _sums + block);
        for (int column = 0; column < _valueLength; column += PairProduct<TSimd, TVector>.BlockWidth)
        {
            PairProduct<TSimd, TVector>.Multiply(new PairProduct<TSimd, TVector>.Operands
            {
                Left = _softmax.Weights,
                LeftStride = PageTokens,
                RowCount = count,
                Right = _values + (column * (PageTokens / 2L)),
                PairCount = (visible + 1) / 2,
                Width = Math.Min(PairProduct<TSimd, TVector>.BlockWidth, _valueLength - column),
                RowScales = _softmax.Scales,
                Keep = _softmax.Keep,
                Output = _contexts + ((long)block * _valueLength) + column,
                OutputStride = _valueLength,
            });
        }
    }

    // Where a block's values lie in a head's key, and how many they are.
    private readonly (int Start, int Length) Part(int block)
    {
        int inShared = (block * ScaleBlock) - CacheLayout.PaddedLength(_nope);
        return inShared < 0
            ? (block * ScaleBlock, Math.Min(ScaleBlock, _nope - (block * ScaleBlock)))
            : (_nope + inShared, Math.Min(ScaleBlock, _shared - inShared));
    }
}
