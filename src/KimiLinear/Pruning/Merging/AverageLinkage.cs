namespace KimiLinear.Pruning;

/// <summary>Clusters by joining, again and again, the two clusters whose members are nearest on average (UPGMA).</summary>
internal static class AverageLinkage
{
    /// <summary>Clusters the members of a distance matrix.</summary>
    /// <param name="distances">The distances, symmetric. [N, N]</param>
    /// <param name="count">How many clusters to stop at.</param>
    /// <returns>The clusters, each ascending, by their first members. Equal distances join the lower numbers first.</returns>
    public static IReadOnlyList<int[]> Cluster(double[,] distances, int count)
    {
        double[,] between = (double[,])distances.Clone();
        int[]?[] clusters = [.. Enumerable.Range(0, distances.GetLength(0)).Select(member => new[] { member })];
        for (int left = clusters.Length; left > count; left--)
        {
            (int first, int second) = Nearest(between, clusters);
            (int one, int other) = (clusters[first]!.Length, clusters[second]!.Length);
            for (int i = 0; i < clusters.Length; i++)
            {
                between[first, i] = between[i, first] =
                    ((between[first, i] * one) + (between[second, i] * other)) / (one + other);
            }

            clusters[first] = [.. clusters[first]!.Concat(clusters[second]!).Order()];
            clusters[second] = null;
        }

        return [.. clusters.OfType<int[]>()];
    }

    private static (int First, int Second) Nearest(double[,] between, int[]?[] clusters)
    {
        (int first, int second, double least) = (-1, -1, double.PositiveInfinity);
        for (int i = 0; i < clusters.Length; i++)
        {
            for (int j = i + 1; j < clusters.Length; j++)
            {
                if (clusters[i] is not null && clusters[j] is not null && between[i, j] < least)
                {
                    (first, second, least) = (i, j, between[i, j]);
                }
            }
        }

        return (first, second);
    }
}
