namespace KimiLinear.Kernels.Tests;

/// <summary>What expanded attention makes of a cache in float64, and how far operands in bfloat16 parts may be from it.</summary>
/// <remarks>
/// Every operand is within a part's loss of its value, relative to it. A weight is off by as much as its score and the others'
/// scores are, on the scale of exponents.
/// </remarks>
internal sealed class BoundedAttention(LatentLayer layer, double[] pages, int partCount)
{
    private const double Addition = 1.0 / (1 << 23);

    // Of a query's scale, and of the two ends of an exponential.
    private const double SmallRoundings = 1e-6;

    private readonly double _loss = Bounded.PartLoss(partCount);

    public Bounded[] Compute()
    {
        List<Bounded> output = [];
        int[] sequences = layer.Sequences;
        int[] positions = layer.Positions;
        Dictionary<(int Sequence, int Position), Bounded[]> keyValues = [];
        for (int t = 0; t < layer.TokenCount; t++)
        {
            double[] projected = Exact.Row(layer.Projected, t, layer.ProjectedLength);
            for (int head = 0; head < layer.Heads; head++)
            {
                Bounded[][] rows = [.. Enumerable.Range(0, positions[t] + 1).Select(
                    s => KeyValuesOf(keyValues, sequences[t], s, head))];
                int queryLength = layer.KeyDim + layer.SharedDim;
                output.AddRange(Attend(projected[(head * queryLength)..((head + 1) * queryLength)], rows));
            }
        }

        return [.. output];
    }

    // [Nope + P + V] of a head.
    private Bounded[] KeyValuesOf(
        Dictionary<(int Sequence, int Position), Bounded[]> known, int sequence, int position, int head)
    {
        int rowCount = layer.KeyDim + layer.ValueDim;
        double[] row = pages.AsSpan(layer.RowOffset(sequence, position), layer.RowLength).ToArray();
        if (!known.TryGetValue((sequence, position), out Bounded[]? all))
        {
            Bounded[] latent = [.. row[..layer.Rank].Select(value => new Bounded(value, 0))];
            all = [.. Enumerable.Range(0, layer.Heads * rowCount).Select(
                r => InParts(Bounded.Product(layer.KeyValueUp.AsSpan(r * layer.Rank, layer.Rank), latent, partCount)))];
            known.Add((sequence, position), all);
        }

        ReadOnlySpan<Bounded> own = all.AsSpan(head * rowCount, rowCount);
        return
        [
            .. own[..layer.KeyDim],
            .. row[layer.Rank..].Select(value => InParts(new Bounded(value, 0))),
            .. own[layer.KeyDim..],
        ];
    }

    private Bounded InParts(Bounded value) =>
        new(value.Value, value.Error + (_loss * (Math.Abs(value.Value) + value.Error)));

    private Bounded[] Attend(double[] query, Bounded[][] rows)
    {
        Bounded[] scores = [.. rows.Select(row => Score(query, row))];
        double max = scores.Max(score => score.Value);
        double worst = scores.Max(score => score.Error);
        double[] weights = [.. scores.Select(score => Math.Exp(score.Value - max))];
        double total = weights.Sum();

        // Of a weight before the sum is divided by, twice: that of the sum is no larger.
        double drift = Math.Exp(2 * worst) - 1 + SmallRoundings;
        double relative = drift + _loss + (2 * rows.Length * Addition);
        Bounded[] output = new Bounded[layer.ValueDim];
        for (int v = 0; v < output.Length; v++)
        {
            double value = 0;
            double error = 0;
            for (int s = 0; s < rows.Length; s++)
            {
                Bounded own = rows[s][layer.KeyDim + layer.SharedDim + v];
                double magnitude = Math.Abs(own.Value) + own.Error;
                value += weights[s] / total * own.Value;
                error += weights[s] / total * (own.Error + (magnitude * relative));
            }

            output[v] = new Bounded(value, error + 1e-30);
        }

        return output;
    }

    private Bounded Score(double[] query, Bounded[] row)
    {
        double scale = 1 / Math.Sqrt(query.Length);
        double sum = 0;
        double error = 0;
        double magnitudes = 0;
        for (int c = 0; c < query.Length; c++)
        {
            double factor = query[c] * scale;
            double magnitude = Math.Abs(factor) * (Math.Abs(row[c].Value) + row[c].Error);
            sum += factor * row[c].Value;
            magnitudes += magnitude;
            error += (Math.Abs(factor) * row[c].Error) + (magnitude * (_loss + SmallRoundings));
        }

        return new Bounded(sum, error + (magnitudes * query.Length * 2 * Addition));
    }
}
