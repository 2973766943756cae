namespace KimiLinear.Backends;

/// <summary>Divides a range evenly among workers.</summary>
internal static class WorkSplit
{
    /// <summary>Bounds fall on multiples of this, so that vectors are never split between workers.</summary>
    private const int Granularity = 16;

    /// <summary>A worker's part of [0, count), with bounds that keep vectors whole.</summary>
    public static (int Start, int End) Rows(int count, int worker, int workerCount)
    {
        int groups = (count + Granularity - 1) / Granularity;
        (int start, int end) = Units(groups, worker, workerCount);
        return (Math.Min(start * Granularity, count), Math.Min(end * Granularity, count));
    }

    /// <summary>A worker's part of [0, count).</summary>
    public static (int Start, int End) Units(int count, int worker, int workerCount) =>
        ((int)((long)count * worker / workerCount), (int)((long)count * (worker + 1) / workerCount));
}
