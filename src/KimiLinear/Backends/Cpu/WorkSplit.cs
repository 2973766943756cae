namespace KimiLinear.Backends;

/// <summary>Divides a range evenly among workers.</summary>
internal static class WorkSplit
{
    /// <summary>A worker's part of [0, count).</summary>
    public static (int Start, int End) Units(int count, int worker, int workerCount) =>
        ((int)((long)count * worker / workerCount), (int)((long)count * (worker + 1) / workerCount));
}
