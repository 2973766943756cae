using System.Runtime.Intrinsics.X86;
using KimiLinear.Configuration;

namespace KimiLinear.Backends;

/// <summary>Absorbed latent attention in integers of 16 bits: queries, cached rows and softmax weights.</summary>
/// <remarks>Three stages, each divided among the workers: queries by heads, pages by units and rows, results by heads.</remarks>
internal unsafe struct AbsorbedIntegers<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    public KimiLinearConfig Config;
    public HostMatrix KeyValueUp; // [H·(Nope + V), R]
    public HostCache Cache;
    public int LatentLayer;
    public AbsorbedGroup Group;
    public long QueryStride;
    public ScratchBuffer Scratch;
    public ScratchBuffer Panel;
    public ScratchBuffer PageScratch;

    private readonly CacheLayout Layout => Cache.Layout;

    /// <summary>q̂ = [K_hᵀ q_nope ‖ q_shared] of some heads, in integers; their scales take in that of the softmax.</summary>
    public readonly void AbsorbKeys(in AbsorbedRun run, int firstHead, int endHead)
    {
        int rank = Config.LatentRank;
        int nope = Config.QkNopeHeadDim;
        int rowLength = Layout.IntegerRowLength;
        float toExponent = 1 / (MathF.Sqrt(Config.QkHeadDim) * MathF.Log(2));
        float* rows = Scratch.Get((long)run.TokenCount * rowLength); // [T, IntegerRowLength]
        for (int head = firstHead; head < endHead; head++)
        {
            new Span<float>(rows, run.TokenCount * rowLength).Clear();
            float* source = run.Queries + ((long)head * Config.QkHeadDim);
            MatMulKernel<TSimd, TVector>.AccumulateRows(
                new MatMulInput(source, QueryStride, run.TokenCount),
                KeyValueUp,
                head * (nope + Config.LatentValueDim),
                nope,
                Panel,
                rows,
                rowLength,
                head + 1 < endHead ? Config.LatentValueDim : 0);
            for (int t = 0; t < run.TokenCount; t++)
            {
                float* row = rows + ((long)t * rowLength);
                new ReadOnlySpan<float>(source + (t * QueryStride) + nope, Config.QkRopeHeadDim)
                    .CopyTo(new Span<float>(row + Layout.IntegerRank, Config.QkRopeHeadDim));
                int index = run.FirstRow + (head * run.TokenCount) + t;
                short* integers = Group.Queries + ((long)index * rowLength);
                Group.LatentScales[index] = toExponent
                    * Int16Kernel<TSimd, TVector>.QuantiseQuery(row, Layout.IntegerRank, integers);
                Group.SharedScales[index] = toExponent * Int16Kernel<TSimd, TVector>.QuantiseQuery(
                    row + Layout.IntegerRank, Layout.IntegerSharedLength, integers + Layout.IntegerRank);
            }
        }

        if (endHead == Config.LatentHeadCount)
        {
            ClearRows(run);
        }
    }

    /// <summary>Softmax and weighted sum over the pages of one unit, for some rows: whole heads and whole vectors.</summary>
    public readonly void AttendUnit(in AbsorbedRun run, int unit, int firstRow, int endRow)
    {
        int queryCount = endRow - firstRow;
        if (queryCount == 0)
        {
            return;
        }

        AbsorbedPartial partial = Group.Partial(run, unit).From(firstRow, Layout.IntegerRank);
        int wholeVectors = (queryCount + TSimd.Width - 1) / TSimd.Width * TSimd.Width;
        new Span<float>(partial.Maxima, wholeVectors).Fill(PageSoftmax<TSimd, TVector>.NoScore);
        new Span<float>(partial.Sums, wholeVectors).Clear();
        new Span<float>(partial.Contexts, queryCount * Layout.IntegerRank).Clear();

        long packedLength = (long)CacheLayout.PageTokens / 2
            * (Layout.IntegerRank + PairProduct<TSimd, TVector>.BlockWidth);
        long softmaxLength = PageSoftmax<TSimd, TVector>.ScratchLength(queryCount);
        float* packed = Scratch.Get(packedLength + softmaxLength + IntegerPage<TSimd, TVector>.ScratchLength(Layout));
        float* pageScratch = packed + packedLength;
        var softmax = PageSoftmax<TSimd, TVector>.Create(
            pageScratch + IntegerPage<TSimd, TVector>.ScratchLength(Layout), queryCount);
        int end = Math.Min((unit + 1) * run.UnitPages, CacheLayout.PagesFor(run.CachedTokens + run.TokenCount));
        for (int index = unit * run.UnitPages; index < end; index++)
        {
            int firstSeen = run.CachedTokens + 1 - (index * CacheLayout.PageTokens);
            int visible = Math.Min(CacheLayout.PageTokens, firstSeen + run.TokenCount - 1);
            var page = IntegerPage<TSimd, TVector>.Of(
                Layout, Cache.Page(run.PageTable[index], LatentLayer), visible, pageScratch, PageScratch);
            Score(run.FirstRow + firstRow, queryCount, page, visible, softmax.Scores);
            softmax.SetValueScales(page.LatentScales, visible);
            softmax.Weigh(queryCount, firstSeen, run.TokenCount, partial.Maxima, partial.Sums);
            byte* next = index + 1 < end ? Cache.Page(run.PageTable[index + 1], LatentLayer) : null;
            Gather(queryCount, page, visible, packed, softmax, partial.Contexts, next);
        }
    }

    /// <summary>Puts the units of some heads together: out = V_h (context / sum).</summary>
    public readonly void ProjectValues(in AbsorbedRun run, int firstHead, int endHead)
    {
        int rank = Config.LatentRank;
        int valueDim = Config.LatentValueDim;
        float* contexts = Scratch.Get((long)run.TokenCount * rank); // [T, R]
        for (int head = firstHead; head < endHead; head++)
        {
            for (int t = 0; t < run.TokenCount; t++)
            {
                Merge(run, (head * run.TokenCount) + t, contexts + ((long)t * rank));
            }

            MatMulKernel<TSimd, TVector>.Multiply(
                new MatMulInput(contexts, rank, run.TokenCount),
                KeyValueUp,
                (head * (Config.QkNopeHeadDim + valueDim)) + Config.QkNopeHeadDim,
                valueDim,
                Panel,
                new MatMulOutput(run.Output + (head * valueDim), (long)Config.LatentHeadCount * valueDim),
                head + 1 < endHead ? Config.QkNopeHeadDim : 0);
        }
    }

    private readonly void ClearRows(in AbsorbedRun run)
    {
        for (int row = Config.LatentHeadCount * run.TokenCount; row < run.RowCount; row++)
        {
            int index = run.FirstRow + row;
            new Span<short>(Group.Queries + ((long)index * Layout.IntegerRowLength), Layout.IntegerRowLength).Clear();
            Group.LatentScales[index] = 0;
            Group.SharedScales[index] = 0;
        }
    }

    private readonly void Score(
        int firstQuery, int queryCount, in IntegerPage<TSimd, TVector> page, int visible, float* scores)
    {
        int rowLength = Layout.IntegerRowLength;
        int rowCount = (visible + 3) / 4 * 4;
        short* queries = Group.Queries + ((long)firstQuery * rowLength);
        Int16Kernel<TSimd, TVector>.Scores(
            queries,
            rowLength,
            Group.LatentScales + firstQuery,
            queryCount,
            page.Rows,
            rowLength,
            page.LatentScales,
            rowCount,
            Layout.IntegerRank,
            add: false,
            scores);
        Int16Kernel<TSimd, TVector>.Scores(
            queries + Layout.IntegerRank,
            rowLength,
            Group.SharedScales + firstQuery,
            queryCount,
            page.Rows + Layout.IntegerRank,
            rowLength,
            page.SharedScales,
            rowCount,
            Layout.IntegerSharedLength,
            add: true,
            scores);
    }

    private readonly void Gather(
        int queryCount,
        in IntegerPage<TSimd, TVector> page,
        int visible,
        float* packed,
        in PageSoftmax<TSimd, TVector> softmax,
        float* contexts,
        byte* next)
    {
        const int BlockWidth = PairProduct<TSimd, TVector>.BlockWidth;
        int rank = Layout.IntegerRank;
        int pairCount = (visible + 1) / 2;
        Int16Kernel<TSimd, TVector>.PackRowPairs(page.Rows, Layout.IntegerRowLength, pairCount, rank, packed);
        int partCount = (rank + BlockWidth - 1) / BlockWidth * (queryCount / AbsorbedGroup.RowTile);
        int part = 0;
        for (int column = 0; column < rank; column += BlockWidth)
        {
            // A few rows at a time, so that the next page is asked for at the pace at which memory delivers.
            for (int row = 0; row < queryCount; row += AbsorbedGroup.RowTile, part++)
            {
                Prefetch(next, part, partCount);
                PairProduct<TSimd, TVector>.Multiply(new PairProduct<TSimd, TVector>.Operands
                {
                    Left = softmax.Weights + (row * CacheLayout.PageTokens),
                    LeftStride = CacheLayout.PageTokens,
                    RowCount = AbsorbedGroup.RowTile,
                    Right = packed + (column * (CacheLayout.PageTokens / 2L)),
                    PairCount = pairCount,
                    Width = Math.Min(BlockWidth, rank - column),
                    RowScales = softmax.Scales + row,
                    Keep = softmax.Keep + row,
                    Output = contexts + ((long)row * rank) + column,
                    OutputStride = rank,
                });
            }
        }
    }

    // Asks for a part of the next page while this one is being multiplied.
    private readonly void Prefetch(byte* page, int part, int partCount)
    {
        if (Sse.IsSupported && page != null)
        {
            (int start, int end) = WorkSplit.Units((int)(Layout.LayerPageBytes / CacheLine.ByteCount), part, partCount);
            for (int line = start; line < end; line++)
            {
                Sse.Prefetch1(page + ((long)line * CacheLine.ByteCount));
            }
        }
    }

    private readonly void Merge(in AbsorbedRun run, int row, float* context) // [R]
    {
        float max = PageSoftmax<TSimd, TVector>.NoScore;
        for (int unit = 0; unit < run.UnitCount; unit++)
        {
            max = MathF.Max(max, Group.Partial(run, unit).Maxima[row]);
        }

        float sum = 0;
        new Span<float>(context, Config.LatentRank).Clear();
        for (int unit = 0; unit < run.UnitCount; unit++)
        {
            AbsorbedPartial partial = Group.Partial(run, unit);
            float share = PageSoftmax<TSimd, TVector>.Exp2(partial.Maxima[row] - max);
            sum += partial.Sums[row] * share;
            VectorKernel<TSimd, TVector>.MultiplyAdd(
                partial.Contexts + ((long)row * Layout.IntegerRank), share, context, Config.LatentRank);
        }

        VectorKernel<TSimd, TVector>.Scale(context, 1 / sum, Config.LatentRank);
    }
}
