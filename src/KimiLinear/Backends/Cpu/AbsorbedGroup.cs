namespace KimiLinear.Backends;

/// <summary>New tokens of some sequences that attend to integer rows together, with the memory they need between stages.</summary>
/// <remarks>
/// A run is a sequence's tokens; a unit is a run with a part of its pages. How many pages a unit has depends on the place of the
/// tokens in their sequence alone, and all tokens of a run have it the same, so that their result depends neither on what shares the
/// step, nor on which tokens come with them, nor on the number of threads.
/// </remarks>
internal sealed unsafe class AbsorbedGroup : IDisposable
{
    /// <summary>Query rows that products take together.</summary>
    public const int RowTile = 4;

    // Query rows (heads × tokens) taken together, which bounds the memory.
    private const int MaxRows = 256;

    // As many as the widest vector holds.
    private const int VectorRows = 16;

    // A unit is at least this long, and a run at most this many units.
    private const int MinUnitPages = 4;
    private const int MaxUnits = 32;

    private readonly ScratchBuffer _queries = new();
    private readonly ScratchBuffer _partials = new();
    private AbsorbedRun[] _runs = new AbsorbedRun[4];
    private long _partialLength;

    public int RunCount { get; private set; }

    public int UnitCount { get; private set; }

    /// <summary>Query rows of all runs, each run's rounded up to fours.</summary>
    public int RowCount { get; private set; }

    public short* Queries { get; private set; } // [RowCount, IntegerRowLength]

    public float* LatentScales { get; private set; } // [RowCount]

    public float* SharedScales { get; private set; } // [RowCount]

    /// <summary>Multiplications of the runs with their cached rows.</summary>
    public long Multiplications { get; private set; }

    public ref readonly AbsorbedRun Run(int index) => ref _runs[index];

    /// <summary>How many more tokens of some heads there is room for; none only in a group that has some.</summary>
    public int TokensLeft(int headCount) => Math.Max(RunCount == 0 ? 1 : 0, (MaxRows - RowCount) / headCount);

    /// <summary>How many tokens from a place in the sequence on are divided alike, so that they may be one run.</summary>
    public static int TokensAlike(int position) =>
        (UnitPages(position) * MaxUnits * CacheLayout.PageTokens) - position;

    public void Clear()
    {
        Array.Clear(_runs, 0, RunCount);
        RunCount = 0;
        UnitCount = 0;
        RowCount = 0;
        Multiplications = 0;
        _partialLength = 0;
    }

    public void Add(AbsorbedRun run, CacheLayout layout, int headCount)
    {
        if (RunCount == _runs.Length)
        {
            Array.Resize(ref _runs, 2 * _runs.Length);
        }

        int pages = CacheLayout.PagesFor(run.CachedTokens + run.TokenCount);
        run.RowCount = ((headCount * run.TokenCount) + RowTile - 1) / RowTile * RowTile;
        run.FirstRow = RowCount;
        run.UnitPages = UnitPages(run.CachedTokens);
        run.UnitCount = (pages + run.UnitPages - 1) / run.UnitPages;
        run.FirstUnit = UnitCount;
        run.PartialLength = (2L * CacheLayout.PaddedLength(run.RowCount)) + ((long)run.RowCount * layout.IntegerRank);
        run.PartialOffset = _partialLength;
        _runs[RunCount++] = run;
        RowCount += run.RowCount;
        UnitCount += run.UnitCount;
        // Room for all the units it may grow to, so that memory stays as it is while a sequence grows.
        _partialLength += MaxUnits * run.PartialLength;
        Multiplications += (long)pages * CacheLayout.PageTokens * run.RowCount * (layout.IntegerRowLength + layout.IntegerRank);
    }

    /// <summary>Makes room once all runs have been added.</summary>
    public void Reserve(CacheLayout layout)
    {
        long integers = (long)RowCount * layout.IntegerRowLength;
        float* memory = _queries.Get((integers / 2) + (2L * RowCount));
        Queries = (short*)memory;
        LatentScales = memory + (integers / 2);
        SharedScales = LatentScales + RowCount;
        _partials.Get(_partialLength);
    }

    /// <summary>What a unit of a run found.</summary>
    public AbsorbedPartial Partial(in AbsorbedRun run, int unit)
    {
        float* memory = _partials.Get(_partialLength) + run.PartialOffset + (unit * run.PartialLength);
        int rows = CacheLayout.PaddedLength(run.RowCount);
        return new AbsorbedPartial(memory, memory + rows, memory + (2L * rows));
    }

    /// <summary>The query rows of a run that some of its parts have: whole heads and whole vectors.</summary>
    public static (int Start, int End) Rows(in AbsorbedRun run, int firstPart, int endPart, int partCount)
    {
        int tile = VectorRows * run.TokenCount;
        long tileCount = (run.RowCount + tile - 1) / tile;
        return (RowOf(firstPart, run.RowCount), RowOf(endPart, run.RowCount));

        int RowOf(int part, int rowCount) => (int)Math.Min(tileCount * part / partCount * tile, rowCount);
    }

    private static int UnitPages(int position) =>
        Math.Max(MinUnitPages, (CacheLayout.PagesFor(position + 1) + MaxUnits - 1) / MaxUnits);

    public void Dispose()
    {
        _queries.Dispose();
        _partials.Dispose();
    }
}
