using FsCheck;
using FsCheck.Fluent;
using KimiLinear.Backends;
using Xunit;

namespace KimiLinear.Tests.Backends.Cuda;

public sealed class ExpertGroupingTests
{
    [Fact]
    public void TileCount_AnyChoice_IsEnough() =>
        Prop.ForAll(
            ArbMap.Default.ArbFor<PositiveInt>(),
            ArbMap.Default.ArbFor<PositiveInt>(),
            ArbMap.Default.ArbFor<int>(),
            (tokens, experts, seed) =>
            {
                int active = 1 + (Math.Abs(seed % 8) % experts.Get);
                ExpertGrouping grouping = new(tokens.Get, active, experts.Get);
                Random random = new(seed);
                int[] counts = new int[experts.Get];
                for (int row = 0; row < grouping.RowCount; row++)
                {
                    counts[random.Next(Math.Max(1, random.Next(experts.Get + 1)))]++;
                }

                int tiles = counts.Sum(count => (count + grouping.TileRows - 1) / grouping.TileRows);
                return tiles <= grouping.TileCount;
            }).QuickCheckThrowOnFailure();

    [Theory]
    [InlineData(1, 8, 256, 1, 8, 16)]
    [InlineData(1023, 8, 256, 8, 511 + 256, 16)]
    [InlineData(1024, 8, 256, 8, 128 + 256, 64)]
    [InlineData(8191, 8, 256, 64, 1023 + 256, 64)]
    [InlineData(8192, 8, 180, 64, 512 + 180, 128)]
    public void Sizes_TokensAndExperts_FollowFromTheRows(
        int tokens, int active, int experts, int chunks, int tiles, int tileRows)
    {
        ExpertGrouping grouping = new(tokens, active, experts);

        Assert.Equal((chunks, tiles, tileRows), (grouping.ChunkCount, grouping.TileCount, grouping.TileRows));
        Assert.Equal(4L * tokens * active, grouping.OrderBytes);
        Assert.Equal(16L * tiles, grouping.TileBytes);
        Assert.Equal(4L * chunks * experts, grouping.CountBytes);
    }
}
