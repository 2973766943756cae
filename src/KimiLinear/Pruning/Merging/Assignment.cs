namespace KimiLinear.Pruning;

/// <summary>Assigns rows to columns so that the sum of the costs is least (the Hungarian method, with potentials).</summary>
internal static class Assignment
{
    /// <summary>Finds for every row its column.</summary>
    /// <param name="costs">The cost of each pair. [N, N]</param>
    public static int[] Least(double[,] costs)
    {
        // Counted from 1; column 0 stands for none.
        int n = costs.GetLength(0);
        double[] rowPotential = new double[n + 1];
        double[] columnPotential = new double[n + 1];
        int[] rowOf = new int[n + 1];
        int[] before = new int[n + 1];
        for (int row = 1; row <= n; row++)
        {
            rowOf[0] = row;
            int column = 0;
            double[] least = new double[n + 1];
            Array.Fill(least, double.PositiveInfinity);
            bool[] isUsed = new bool[n + 1];
            do
            {
                column = Grow(column);
            }
            while (rowOf[column] != 0);

            // Along the path back, each column takes the row of the one before.
            while (column != 0)
            {
                rowOf[column] = rowOf[before[column]];
                column = before[column];
            }

            int Grow(int from)
            {
                isUsed[from] = true;
                (double delta, int next) = (double.PositiveInfinity, 0);
                for (int j = 1; j <= n; j++)
                {
                    if (isUsed[j])
                    {
                        continue;
                    }

                    double reduced = costs[rowOf[from] - 1, j - 1] - rowPotential[rowOf[from]] - columnPotential[j];
                    if (reduced < least[j])
                    {
                        (least[j], before[j]) = (reduced, from);
                    }

                    if (least[j] < delta)
                    {
                        (delta, next) = (least[j], j);
                    }
                }

                for (int j = 0; j <= n; j++)
                {
                    if (isUsed[j])
                    {
                        rowPotential[rowOf[j]] += delta;
                        columnPotential[j] -= delta;
                    }
                    else
                    {
                        least[j] -= delta;
                    }
                }

                return next;
            }
        }

        int[] columnOf = new int[n];
        for (int j = 1; j <= n; j++)
        {
            columnOf[rowOf[j] - 1] = j - 1;
        }

        return columnOf;
    }
}
