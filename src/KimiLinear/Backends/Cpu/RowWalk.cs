using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary>What one worker takes of the rows of several matrices, as one range of work in the matrices' order.</summary>
/// <remarks>
/// Bounds fall on whole tiles of packed weights. How rows are divided does not change any result: each row is a sum of its own.
/// </remarks>
internal ref struct RowWalk
{
    // What the smallest unit reads of a matrix where reading takes longest, and multiplies where that does.
    private const int SmallestWeights = 128 * 1024;
    private const int SmallestMultiplications = 512 * 1024;

    // A unit that reads several matrices is small enough that each worker would get so many.
    private const int UnitsPerWorker = 8;

    private readonly WorkerTeam _team;
    private readonly WorkUnits _units;
    private readonly int _granule;
    private int _first; // where the matrix at hand begins, in granules
    private int _start;
    private int _end;

    /// <summary>Begins with the first matrix.</summary>
    /// <param name="team">The team whose job this is.</param>
    /// <param name="granule">Rows that are never divided: <see cref="Granule"/>.</param>
    /// <param name="granuleCount">Those of all matrices together.</param>
    /// <param name="columnCount">Weights that come with a row.</param>
    /// <param name="inputCount">Rows of x that meet a weight.</param>
    /// <param name="workerCount">The number of workers.</param>
    /// <param name="streamCount">Matrices of so many columns that come with a row, each of which a unit reads anew.</param>
    public RowWalk(
        WorkerTeam team, int granule, int granuleCount, int columnCount, int inputCount, int workerCount, int streamCount = 1)
    {
        _team = team;
        _granule = granule;
        long weights = Math.Max(1, (long)granule * columnCount);
        long smallest = inputCount < WeightPanel.MinInputRows
            ? SmallestWeights / weights
            : SmallestMultiplications / (weights * streamCount * inputCount);
        if (streamCount > 1)
        {
            smallest = Math.Min(smallest, granuleCount / (UnitsPerWorker * workerCount));
        }

        _units = new WorkUnits(granuleCount, (int)Math.Max(1, smallest), workerCount);
        (_start, _end) = _units[_team.Claim()];
    }

    /// <summary>Rows that are never divided: a tile, or those unpacked together when there are many rows of x.</summary>
    public static int Granule(int inputCount) =>
        inputCount < WeightPanel.MinInputRows ? PackedLayout.TileRows : WeightPanel.TileCount * PackedLayout.TileRows;

    public static int GranuleCount(int rowCount, int granule) => (rowCount + granule - 1) / granule;

    /// <summary>The next rows of the matrix at hand to work on; <see langword="false"/> when the next matrix is to come.</summary>
    /// <param name="rowCount">Rows of this matrix.</param>
    /// <param name="row">The first row.</param>
    /// <param name="count">The number of rows.</param>
    public bool TryNext(int rowCount, out int row, out int count)
    {
        int end = _first + GranuleCount(rowCount, _granule);
        if (_start == _end)
        {
            (_start, _end) = _units[_team.Claim()];
        }

        if (_start >= end || _start == _end)
        {
            _first = end;
            row = count = 0;
            return false;
        }

        int unitEnd = Math.Min(_end, end);
        row = (_start - _first) * _granule;
        count = Math.Min((unitEnd - _first) * _granule, rowCount) - row;
        _start = unitEnd;
        return true;
    }
}
