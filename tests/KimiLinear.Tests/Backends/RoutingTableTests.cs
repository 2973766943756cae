using KimiLinear.Backends;
using Xunit;

namespace KimiLinear.Tests.Backends;

public sealed unsafe class RoutingTableTests
{
    [Theory]
    [InlineData(1, 1, 1)]
    [InlineData(1, 8, 256)]
    [InlineData(7, 3, 5)]
    [InlineData(512, 8, 180)]
    public void Group_RandomRouting_ListsEveryVisitOnceInTokenOrder(int tokens, int active, int experts)
    {
        Random random = new(tokens);
        using RoutingTable table = new();
        // A table that was larger before.
        table.Reserve(tokens + 1, active, experts + 1);
        table.Reserve(tokens, active, experts);
        for (int t = 0; t < tokens; t++)
        {
            int[] chosen = [.. Enumerable.Range(0, experts).OrderBy(_ => random.Next()).Take(active).Order()];
            for (int i = 0; i < active; i++)
            {
                table.Experts[(t * active) + i] = chosen[i];
                table.Weights[(t * active) + i] = (t * 1000) + chosen[i];
            }
        }

        table.Group(tokens, active, experts);

        Assert.Equal(0, table.Starts[0]);
        Assert.Equal(tokens * active, table.Starts[experts]);
        for (int expert = 0; expert < experts; expert++)
        {
            for (int visit = table.Starts[expert]; visit < table.Starts[expert + 1]; visit++)
            {
                int token = table.Tokens[visit];
                Assert.Contains(expert, new Span<int>(table.Experts + (token * active), active).ToArray());
                Assert.Equal((token * 1000) + expert, table.VisitWeights[visit]);
                Assert.True(visit == table.Starts[expert] || table.Tokens[visit - 1] < token);
            }
        }
    }
}
