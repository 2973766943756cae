namespace KimiLinear.Backends;

/// <summary>A range in units that workers claim one after the other (<see cref="WorkerTeam.Claim"/>), large ones first.</summary>
/// <remarks>
/// Each round gives every worker one unit and all of them half of what is left, down to a smallest size: most of the work is read
/// in long streams, and workers that were slower than others take fewer of the small units at the end (guided self-scheduling,
/// Polychronopoulos and Kuck 1987).
/// </remarks>
internal readonly struct WorkUnits
{
    private readonly int _count;
    private readonly int _smallest;
    private readonly int _workerCount;

    /// <summary>Divides [0, count).</summary>
    /// <param name="count">The length of the range.</param>
    /// <param name="smallest">No unit but the last is shorter.</param>
    /// <param name="workerCount">The number of workers.</param>
    public WorkUnits(int count, int smallest, int workerCount)
    {
        _count = count;
        _smallest = workerCount == 1 ? Math.Max(count, 1) : smallest;
        _workerCount = workerCount;
    }

    /// <summary>The bounds of a unit; empty from the end of the range on.</summary>
    public (int Start, int End) this[int unit]
    {
        get
        {
            int start = 0;
            while (true)
            {
                int size = (_count - start) / (2 * _workerCount);
                if (size <= _smallest)
                {
                    long first = start + ((long)unit * _smallest);
                    return ((int)Math.Min(first, _count), (int)Math.Min(first + _smallest, _count));
                }

                if (unit < _workerCount)
                {
                    return (start + (unit * size), start + ((unit + 1) * size));
                }

                unit -= _workerCount;
                start += _workerCount * size;
            }
        }
    }
}
