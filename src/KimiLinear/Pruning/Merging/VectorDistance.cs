namespace KimiLinear.Pruning;

/// <summary>Distances of vectors, in float64.</summary>
internal static class VectorDistance
{
    public static double Of(ReadOnlySpan<double> one, ReadOnlySpan<double> other, ExpertDistance distance) => distance switch
    {
        ExpertDistance.Euclidean => Euclidean(one, other),
        ExpertDistance.Cosine => 1 - Cosine(one, other),
        ExpertDistance.Angular => Math.Acos(Math.Clamp(Cosine(one, other), -1, 1)) / Math.PI,
        _ => throw new ArgumentOutOfRangeException(nameof(distance), distance, "There is no such distance."),
    };

    /// <summary>The distances of all rows, [N, N].</summary>
    public static double[,] Matrix(double[][] rows, ExpertDistance distance)
    {
        double[,] distances = new double[rows.Length, rows.Length];
        for (int i = 0; i < rows.Length; i++)
        {
            for (int j = i + 1; j < rows.Length; j++)
            {
                distances[i, j] = distances[j, i] = Of(rows[i], rows[j], distance);
            }
        }

        return distances;
    }

    private static double Euclidean(ReadOnlySpan<double> one, ReadOnlySpan<double> other)
    {
        double sum = 0;
        for (int i = 0; i < one.Length; i++)
        {
            sum += (one[i] - other[i]) * (one[i] - other[i]);
        }

        return Math.Sqrt(sum);
    }

    // 0 where one is zero and has no direction.
    private static double Cosine(ReadOnlySpan<double> one, ReadOnlySpan<double> other)
    {
        (double product, double first, double second) = (0, 0, 0);
        for (int i = 0; i < one.Length; i++)
        {
            product += one[i] * other[i];
            first += one[i] * one[i];
            second += other[i] * other[i];
        }

        return first == 0 || second == 0 ? 0 : product / (Math.Sqrt(first) * Math.Sqrt(second));
    }
}
