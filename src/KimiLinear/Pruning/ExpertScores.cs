namespace KimiLinear.Pruning;

/// <summary>Scores the experts of a layer by a criterion.</summary>
internal static class ExpertScores
{
    // The distance of two neighbouring numbers with 53 bits in [0, 1).
    private const double Unit = 1.0 / (1L << 53);

    // Successive states of the generator, spread over all bits (SplitMix64).
    private const ulong Step = 0x9E3779B97F4A7C15;

    public static double[] Of(LayerStatistics layer, PruningCriterion criterion, int activeCount, int seed) => criterion switch
    {
        PruningCriterion.Reap => Mean(layer.GatedNormSums, layer),
        PruningCriterion.Frequency => [.. layer.TokenCounts.Select(count => (double)count)],
        PruningCriterion.EanSum => [.. layer.NormSums],
        PruningCriterion.EanMean => Mean(layer.NormSums, layer),
        PruningCriterion.Random => Random(layer, seed),
        PruningCriterion.GateSum => [.. layer.GateSums],
        PruningCriterion.WeightedEanSum => [.. layer.GatedNormSums],
        PruningCriterion.MaxActivation => [.. layer.MaxActivations],
        PruningCriterion.ReapL2 => [.. Mean(layer.SquaredGatedNormSums, layer).Select(Math.Sqrt)],
        PruningCriterion.WeightedEanSumL2 => [.. layer.SquaredGatedNormSums.Select(Math.Sqrt)],
        PruningCriterion.MeanSquaredNorm => Mean(layer.SquaredNormSums, layer),
        PruningCriterion.Probability => Probabilities(layer, activeCount),
        PruningCriterion.EanCa => Mean(OutputSumNorms(layer), layer),
        _ => throw new ArgumentException($"There is no criterion {criterion}.", nameof(criterion)),
    };

    private static double[] Mean(IReadOnlyList<double> sums, LayerStatistics layer) =>
        [.. sums.Zip(layer.TokenCounts, (sum, count) => count == 0 ? 0 : sum / count)];

    private static double[] OutputSumNorms(LayerStatistics layer)
    {
        double[] norms = new double[layer.ExpertCount];
        for (int expert = 0; expert < norms.Length; expert++)
        {
            double squares = 0;
            foreach (double value in layer.GetOutputSum(expert))
            {
                squares += value * value;
            }

            norms[expert] = Math.Sqrt(squares);
        }

        return norms;
    }

    // Every token of the layer was routed to the same number of experts.
    private static double[] Probabilities(LayerStatistics layer, int activeCount)
    {
        double tokens = (double)layer.TokenCounts.Sum() / activeCount;
        return [.. layer.TokenCounts.Select(count => tokens == 0 ? 0 : count / tokens)];
    }

    private static double[] Random(LayerStatistics layer, int seed)
    {
        ulong state = Mix(((ulong)(uint)seed << 32) + (uint)layer.LayerIndex + Step);
        return [.. Enumerable.Range(0, layer.ExpertCount).Select(_ => (Mix(state += Step) >> 11) * Unit)];
    }

    private static ulong Mix(ulong value)
    {
        value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
        value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
        return value ^ (value >> 31);
    }
}
