namespace KimiLinear.Pruning;

/// <summary>What merging asks of the experts of one layer: sums over all tokens.</summary>
internal sealed class MergeStatistics(int expertCount, int hiddenDim)
{
    private readonly double[][] _outputSums = [.. Enumerable.Range(0, expertCount).Select(_ => new double[hiddenDim])];
    private readonly double[,] _tokenDistances = new double[expertCount, expertCount];
    private readonly double[,] _logitProducts = new double[expertCount, expertCount];
    private readonly long[] _visits = new long[expertCount];
    private long _tokenCount;

    /// <summary>How many tokens visited each expert.</summary>
    public IReadOnlyList<long> Visits => _visits;

    /// <summary>Adds one token.</summary>
    /// <param name="outputs">What each expert puts out for it, before it is weighted. [E][D]</param>
    /// <param name="logits">What the router says. [E]</param>
    /// <param name="chosen">The experts it visits.</param>
    public void Add(double[][] outputs, ReadOnlySpan<float> logits, ReadOnlySpan<int> chosen)
    {
        _tokenCount++;
        for (int i = 0; i < expertCount; i++)
        {
            double[] sum = _outputSums[i];
            for (int d = 0; d < hiddenDim; d++)
            {
                sum[d] += outputs[i][d];
            }

            for (int j = 0; j < expertCount; j++)
            {
                _logitProducts[i, j] += (double)logits[i] * logits[j];
            }
        }

        foreach (int i in chosen)
        {
            _visits[i]++;
            for (int j = 0; j < expertCount; j++)
            {
                _tokenDistances[i, j] += VectorDistance.Of(outputs[i], outputs[j], ExpertDistance.Cosine);
            }
        }
    }

    /// <summary>The distances of all experts, [E, E].</summary>
    public double[,] Distances(ExpertSimilarity similarity, ExpertDistance distance) => similarity switch
    {
        ExpertSimilarity.MeanOutput => VectorDistance.Matrix(
            [.. _outputSums.Select(sum => sum.Select(value => value / Math.Max(_tokenCount, 1)).ToArray())], distance),
        ExpertSimilarity.TokenOutputs => TokenDistances(),
        ExpertSimilarity.RouterLogits => VectorDistance.Matrix(LogitDistances(), distance),
        _ => throw new ArgumentOutOfRangeException(nameof(similarity), similarity, "There is no such similarity."),
    };

    // Each pair is counted whenever one of the two was visited; never for two that were not.
    private double[,] TokenDistances()
    {
        double[,] distances = new double[expertCount, expertCount];
        for (int i = 0; i < expertCount; i++)
        {
            for (int j = 0; j < expertCount; j++)
            {
                long visits = _visits[i] + _visits[j];
                distances[i, j] = i == j || visits == 0 ? 0 : (_tokenDistances[i, j] + _tokenDistances[j, i]) / visits;
            }
        }

        return distances;
    }

    private double[][] LogitDistances()
    {
        double[][] rows = new double[expertCount][];
        for (int i = 0; i < expertCount; i++)
        {
            rows[i] = new double[expertCount];
            for (int j = 0; j < expertCount; j++)
            {
                double lengths = Math.Sqrt(_logitProducts[i, i]) * Math.Sqrt(_logitProducts[j, j]);
                rows[i][j] = i == j ? 0 : lengths == 0 ? 1 : 1 - (_logitProducts[i, j] / lengths);
            }
        }

        return rows;
    }
}
