using KimiLinear.Backends;
using KimiLinear.Tensors;
using Xunit;

namespace KimiLinear.Tests.Backends;

/// <summary>However many workers walk over however many matrices, each row is given out once.</summary>
public sealed unsafe class RowWalkTests
{
    // Rows of matrices that follow each other; some are no multiple of a tile.
    private static readonly int[] Matrices = [160, 1, 0, 16, 77, 2_304, 40];

    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 1)]
    [InlineData(2, 64)]
    [InlineData(5, 7)]
    [InlineData(5, 8)]
    [InlineData(16, 512)]
    public void TryNext_AllWorkers_GiveOutEachRowOnceInWholeTiles(int workers, int inputCount)
    {
        foreach ((int columnCount, int streamCount) in ((int, int)[])[(1, 1), (64, 9), (2_304, 1), (1_024, 9), (1_000_000, 1)])
        {
            int[] visits = new int[Matrices.Sum()];
            using WorkerTeam team = new(workers);
            fixed (int* counts = visits)
            {
                WalkJob job = new()
                {
                    Team = team,
                    Visits = counts,
                    InputCount = inputCount,
                    ColumnCount = columnCount,
                    StreamCount = streamCount,
                };
                team.Run(ref job);
            }

            Assert.All(visits, count => Assert.Equal(1, count));
        }
    }

    /// <summary>Units that read several matrices are at most half of an even share, or one tile: many workers all get some.</summary>
    [Theory]
    [InlineData(2, 36)]
    [InlineData(8, 9)]
    [InlineData(16, 4)]
    [InlineData(32, 2)]
    [InlineData(64, 1)]
    [InlineData(200, 1)]
    public void TryNext_SeveralMatricesAndManyWorkers_UnitsAreAtMostHalfOfAnEvenShare(int workers, int tiles)
    {
        const int Rows = 2_304;
        const int Tile = PackedLayout.TileRows;
        List<int> counts = [];
        using WorkerTeam team = new(1);
        RowWalk walk = new(team, Tile, Rows / Tile, 1_024, 1, workers, streamCount: 9);
        while (walk.TryNext(Rows, out int row, out int count))
        {
            Assert.Equal(counts.Sum(), row);
            counts.Add(count);
        }

        Assert.Equal(Rows, counts.Sum());
        Assert.Equal(tiles * Tile, counts.Max());
    }

    private struct WalkJob : IParallelJob
    {
        public WorkerTeam Team;
        public int* Visits;
        public int InputCount;
        public int ColumnCount;
        public int StreamCount;

        public readonly void Execute(int worker, int workerCount)
        {
            int granule = RowWalk.Granule(InputCount);
            int granuleCount = Matrices.Sum(rows => RowWalk.GranuleCount(rows, granule));
            RowWalk walk = new(Team, granule, granuleCount, ColumnCount, InputCount, workerCount, StreamCount);
            int first = 0;
            foreach (int rowCount in Matrices)
            {
                while (walk.TryNext(rowCount, out int row, out int count))
                {
                    Assert.True(row % granule == 0 && (count % granule == 0 || row + count == rowCount));
                    for (int i = row; i < row + count; i++)
                    {
                        Interlocked.Increment(ref Visits[first + i]);
                    }
                }

                first += rowCount;
            }
        }
    }
}
