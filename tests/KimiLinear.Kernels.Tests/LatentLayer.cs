using KimiLinear.Backends;

namespace KimiLinear.Kernels.Tests;

/// <summary>A latent layer's weights, inputs and cache, and what comes out of them in float64.</summary>
internal sealed class LatentLayer
{
    public const float Epsilon = 1e-5f;

    // The pages hold other layers' rows too.
    private const int LayerRows = 3 * CacheLayout.PageTokens;

    private readonly int[] _cached;
    private readonly int[] _tokenCounts;
    private readonly int _tableStride;

    public LatentLayer(
        Samples samples,
        int heads,
        int keyDim,
        int sharedDim,
        int rank,
        int valueDim,
        bool isBFloat16,
        int[] cached,
        int[] tokenCounts,
        float scale = 2)
    {
        (Heads, KeyDim, SharedDim, Rank, ValueDim, IsBFloat16) = (heads, keyDim, sharedDim, rank, valueDim, isBFloat16);
        _cached = cached;
        _tokenCounts = [.. cached.Select((_, i) => tokenCounts[Math.Min(i, tokenCounts.Length - 1)])];
        Projected = samples.Floats(TokenCount * ProjectedLength, scale);
        Norm = samples.Norm(rank);
        KeyValueUp = samples.Matrix(heads * (keyDim + valueDim), rank);
        _tableStride = cached.Zip(_tokenCounts, (before, added) => CacheLayout.PagesFor(before + added)).Max();

        // Every sequence has its pages here and there.
        int pageCount = cached.Length * _tableStride;
        PageTable = [.. Enumerable.Range(0, pageCount).Select(i => (i % _tableStride * cached.Length) + (i / _tableStride))];
        Pages = samples.Floats(pageCount * LayerRows * RowLength, 1);
    }

    private LatentLayer(LatentLayer other)
    {
        (Heads, KeyDim, SharedDim, Rank, ValueDim, IsBFloat16) =
            (other.Heads, other.KeyDim, other.SharedDim, other.Rank, other.ValueDim, other.IsBFloat16);
        (_cached, _tokenCounts) = ([other._cached[0]], [1]);
        (Norm, KeyValueUp, Projected) = (other.Norm, other.KeyValueUp, other.ProjectedRow(0));
        (_tableStride, PageTable, Pages) = (other._tableStride, other.PageTable, other.Pages);
    }

    public int Heads { get; }

    public int KeyDim { get; }

    public int SharedDim { get; }

    public int Rank { get; }

    public int ValueDim { get; }

    public bool IsBFloat16 { get; }

    public float[] Projected { get; } // [T, H·(Nope + P) + R + P]

    public float[] Norm { get; } // [R]

    public ushort[] KeyValueUp { get; } // [H·(Nope + V), R]

    public float[] Pages { get; }

    public int[] PageTable { get; }

    /// <summary>The place of each sequence's first page in <see cref="PageTable"/>.</summary>
    public int[] PageStarts => [.. Enumerable.Range(0, _cached.Length).Select(sequence => sequence * _tableStride)];

    public int RowLength => Rank + SharedDim;

    public int OutputLength => Heads * ValueDim;

    public int ProjectedLength => (Heads * QueryLength) + RowLength;

    public int TokenCount => _tokenCounts.Sum();

    public int PageLength => LayerRows * RowLength;

    public int LayerOffset => CacheLayout.PageTokens * RowLength;

    public int[] Sequences => [.. _tokenCounts.SelectMany((count, sequence) => Enumerable.Repeat(sequence, count))];

    public int[] Positions =>
        [.. _tokenCounts.SelectMany((count, sequence) => Enumerable.Range(_cached[sequence], count))];

    private int QueryLength => KeyDim + SharedDim;

    /// <summary>The same layer and pages, in a call with the first token only.</summary>
    public LatentLayer FirstToken() => new(this);

    public float[] ProjectedRow(int token) => Projected[(token * ProjectedLength)..((token + 1) * ProjectedLength)];

    /// <summary>All pages after the new tokens were cached.</summary>
    public double[] ExpectedCache()
    {
        double[] pages = [.. Pages.Select(value => IsBFloat16 ? Exact.Value(Round(value)) : value)];
        int[] sequences = Sequences;
        int[] positions = Positions;
        for (int t = 0; t < TokenCount; t++)
        {
            double[] latent = Exact.Row(ProjectedRow(t), 0, ProjectedLength)[^RowLength..];
            double[] row = [.. Exact.RmsNorm(latent[..Rank], Norm, Epsilon), .. latent[Rank..]];
            row.CopyTo(pages.AsSpan(RowOffset(sequences[t], positions[t]), RowLength));
        }

        return pages;
    }

    /// <summary>Attention in its expanded form over what the pages hold.</summary>
    public double[] ExpectedOutput(double[] pages)
    {
        List<double> output = [];
        int[] sequences = Sequences;
        int[] positions = Positions;
        for (int t = 0; t < TokenCount; t++)
        {
            double[][] rows = [.. Enumerable.Range(0, positions[t] + 1).Select(
                s => pages.AsSpan(RowOffset(sequences[t], s), RowLength).ToArray())];
            double[] projected = Exact.Row(ProjectedRow(t), 0, ProjectedLength);
            for (int head = 0; head < Heads; head++)
            {
                output.AddRange(Attend(projected[(head * QueryLength)..((head + 1) * QueryLength)], head, rows));
            }
        }

        return [.. output];
    }

    /// <summary>Where a token's row begins in <see cref="Pages"/>.</summary>
    public int RowOffset(int sequence, int position) =>
        (PageTable[(sequence * _tableStride) + (position / CacheLayout.PageTokens)] * PageLength) + LayerOffset
        + (position % CacheLayout.PageTokens * RowLength);

    public static ushort Round(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        return (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }

    private double[] Attend(double[] query, int head, double[][] rows)
    {
        int firstRow = head * (KeyDim + ValueDim);
        double[][] keyValues = [.. rows.Select(row => Exact.Project(KeyValueUp, row[..Rank], firstRow, KeyDim + ValueDim))];
        double[] scores = [.. rows.Select((row, s) =>
            (Dot(query[..KeyDim], keyValues[s][..KeyDim]) + Dot(query[KeyDim..], row[Rank..])) / Math.Sqrt(QueryLength))];
        double max = scores.Max();
        double[] weights = [.. scores.Select(score => Math.Exp(score - max))];
        double[] sum = new double[ValueDim];
        for (int s = 0; s < rows.Length; s++)
        {
            for (int v = 0; v < ValueDim; v++)
            {
                sum[v] += weights[s] / weights.Sum() * keyValues[s][KeyDim + v];
            }
        }

        return sum;
    }

    private static double Dot(double[] x, double[] y) => x.Zip(y, (left, right) => left * right).Sum();
}
