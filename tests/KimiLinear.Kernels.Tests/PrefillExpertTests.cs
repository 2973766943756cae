using KimiLinear.Backends;
using Xunit;

namespace KimiLinear.Kernels.Tests;

public sealed class PrefillExpertTests
{
    [Theory]
    [InlineData(1, 1, 1)]
    [InlineData(1, 3, 5)]
    [InlineData(7, 2, 5)]
    [InlineData(129, 8, 180)]
    [InlineData(300, 8, 12)]
    [InlineData(700, 4, 600)]
    [InlineData(1100, 1, 2)]
    [InlineData(512, 2, 2)]
    [InlineData(5, 8, 256)]
    public void OrderExperts_AnyChoice_GroupsTokensInTheirOrder(int tokens, int active, int experts) =>
        AssertOrder(Choice(new Samples(), tokens, active, experts), tokens, active, experts);

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    [InlineData(179)]
    public void OrderExperts_AllTokensOnOneExpert_LeavesTheOthersNothing(int expert) =>
        AssertOrder([.. Enumerable.Repeat(expert, 1300)], 1300, 1, 180);

    [Theory]
    [InlineData(40, 24, 3, 2, 5, 1, 0)]
    [InlineData(8, 8, 1, 1, 1, 2, 0)]
    [InlineData(40, 24, 7, 3, 4, 2, 1)]
    [InlineData(136, 72, 20, 8, 180, 2, 2)]
    [InlineData(136, 136, 9, 4, 64, 1, 0)]
    [InlineData(64, 88, 129, 1, 3, 2, 1)]
    [InlineData(40, 72, 70, 4, 7, 1, 2)]
    [InlineData(136, 72, 40, 3, 3, 2, 0)]
    [InlineData(24, 40, 600, 1, 2, 1, 1)]
    [InlineData(24, 72, 300, 2, 2, 2, 2)]
    public void GroupedProducts_AnyChoice_AreRightToTheRoundingOfTheirSums(
        int columns, int expertDim, int tokens, int active, int experts, int partCount, int kind)
    {
        Samples samples = new();
        using TestDevice device = new();
        ExpertGrouping grouping = new(tokens, active, experts);
        int[] chosen = kind switch
        {
            0 => Choice(samples, tokens, active, experts),
            1 when active == 1 => [.. Enumerable.Repeat(experts - 1, tokens)],
            _ => [.. Enumerable.Range(0, tokens).SelectMany(_ => Enumerable.Range(experts - active, active))],
        };
        ushort[] input = samples.Matrix(partCount * tokens, columns);
        ushort[] gateUp = samples.Matrix(experts * 2 * expertDim, columns);
        ushort[] down = samples.Matrix(experts * columns, expertDim);
        float[] weights = samples.Floats(tokens * active);
        float[] before = samples.Floats(tokens * columns);
        DeviceBuffer hidden = device.Upload(before);
        nint order = device.Reserve<byte>((int)grouping.OrderBytes).Address;
        nint tiles = device.Reserve<byte>((int)grouping.TileBytes).Address;
        nint activations = device.Reserve<ushort>(partCount * grouping.RowCount * expertDim).Address;
        nint outputs = device.Reserve<float>(grouping.RowCount * columns).Address;
        OrderExpertsArguments ordering = new()
        {
            Experts = device.Upload(chosen).Address,
            Counts = device.Reserve<byte>((int)grouping.CountBytes).Address,
            Order = order,
            Tiles = tiles,
        };
        GroupedGateUpArguments first = new()
        {
            Input = device.Upload(input).Address,
            GateUp = new WeightMatrix { Values = device.Upload(gateUp).Address },
            Tiles = tiles,
            Order = order,
            Activations = activations,
            Columns = columns,
            ExpertDim = expertDim,
        };
        GroupedDownArguments second = new()
        {
            Activations = activations,
            Down = new WeightMatrix { Values = device.Upload(down).Address },
            Tiles = tiles,
            Order = order,
            Outputs = outputs,
            Columns = columns,
            ExpertDim = expertDim,
        };
        CombineExpertsArguments third = new()
        {
            Outputs = outputs,
            Weights = device.Upload(weights).Address,
            Hidden = hidden.Address,
            Columns = columns,
            ActiveCount = active,
        };

        device.Run(() =>
        {
            device.Prefill.OrderExperts(device.Stream, ordering, grouping);
            device.Prefill.GroupedGateUp(device.Stream, first, grouping, partCount);
            device.Prefill.GroupedDown(device.Stream, second, grouping, partCount);
            device.Prefill.CombineExperts(device.Stream, third, tokens);
        });

        Bounded[] expected = new Bounded[tokens * columns];
        for (int t = 0; t < tokens; t++)
        {
            Bounded[] sums = new Bounded[columns];
            for (int i = 0; i < active; i++)
            {
                int expert = chosen[(t * active) + i];
                Bounded[] inner = Gated(gateUp, input, expert, t, tokens, columns, expertDim, partCount);
                for (int c = 0; c < columns; c++)
                {
                    ReadOnlySpan<ushort> row = down.AsSpan(((expert * columns) + c) * expertDim, expertDim);
                    sums[c] = sums[c].Add(weights[(t * active) + i], Bounded.Product(row, inner, partCount));
                }
            }

            for (int c = 0; c < columns; c++)
            {
                expected[(t * columns) + c] = sums[c].Add(1, new Bounded(before[(t * columns) + c], 0));
            }
        }

        Bounded.AssertAll(expected, hidden.Read<float>());
    }

    [Theory]
    [InlineData(8, 8, 1, 1)]
    [InlineData(40, 136, 7, 2)]
    [InlineData(72, 64, 33, 2)]
    [InlineData(136, 72, 129, 1)]
    [InlineData(40, 200, 130, 2)]
    public void GateUpAndMatMul_EveryTokenOnOneExpert_AreASharedExpert(int columns, int dim, int tokens, int partCount)
    {
        Samples samples = new();
        using TestDevice device = new(multiprocessorCount: 1);
        ushort[] input = samples.Matrix(partCount * tokens, columns);
        ushort[] gateUp = samples.Matrix(2 * dim, columns);
        ushort[] down = samples.Matrix(columns, dim);
        float[] before = samples.Floats(tokens * columns);
        DeviceBuffer hidden = device.Upload(before);
        nint activations = device.Reserve<ushort>(partCount * tokens * dim).Address;
        GroupedGateUpArguments first = new()
        {
            Input = device.Upload(input).Address,
            GateUp = new WeightMatrix { Values = device.Upload(gateUp).Address },
            Tiles = 0,
            Order = 0,
            Activations = activations,
            Columns = columns,
            ExpertDim = dim,
        };
        MatMulArguments second = new()
        {
            Input = activations,
            Weight = new WeightMatrix { Values = device.Upload(down).Address },
            Output = hidden.Address,
            Columns = dim,
            Outputs = columns,
            OutputStride = columns,
            Tokens = tokens,
            Adds = 1,
        };

        device.Run(() =>
        {
            device.Prefill.GateUp(device.Stream, first, tokens, partCount);
            device.Prefill.MatMul(device.Stream, second, partCount);
        });

        Bounded[] expected = new Bounded[tokens * columns];
        for (int t = 0; t < tokens; t++)
        {
            Bounded[] inner = Gated(gateUp, input, 0, t, tokens, columns, dim, partCount);
            for (int c = 0; c < columns; c++)
            {
                int i = (t * columns) + c;
                expected[i] = Bounded.Product(down.AsSpan(c * dim, dim), inner, partCount).Add(1, new Bounded(before[i], 0));
            }
        }

        Bounded.AssertAll(expected, hidden.Read<float>());
    }

    private static void AssertOrder(int[] chosen, int tokens, int active, int experts)
    {
        using TestDevice device = new();
        ExpertGrouping grouping = new(tokens, active, experts);
        DeviceBuffer order = device.Reserve<byte>((int)grouping.OrderBytes);
        DeviceBuffer tiles = device.Reserve<byte>((int)grouping.TileBytes);
        OrderExpertsArguments arguments = new()
        {
            Experts = device.Upload(chosen).Address,
            Counts = device.Reserve<byte>((int)grouping.CountBytes).Address,
            Order = order.Address,
            Tiles = tiles.Address,
        };

        device.Run(() => device.Prefill.OrderExperts(device.Stream, arguments, grouping));

        // Sorting keeps the order of equals.
        Assert.Equal(Enumerable.Range(0, chosen.Length).OrderBy(row => chosen[row]), order.Read<int>());
        List<int> expected = [];
        int first = 0;
        for (int expert = 0; expert < experts; expert++)
        {
            int count = chosen.Count(other => other == expert);
            for (int done = 0; done < count; done += grouping.TileRows)
            {
                expected.AddRange([expert, first + done, Math.Min(grouping.TileRows, count - done), 0]);
            }

            first += count;
        }

        expected.AddRange(new int[(grouping.TileCount * 4) - expected.Count]);
        Assert.Equal(expected, tiles.Read<int>());
    }

    // Some of the experts for every token, ascending.
    private static int[] Choice(Samples samples, int tokens, int active, int experts) =>
    [
        .. Enumerable.Range(0, tokens).SelectMany(_ =>
        {
            float[] keys = samples.Floats(experts);
            return Enumerable.Range(0, experts).OrderBy(expert => keys[expert]).Take(active).Order();
        }),
    ];

    private static Bounded[] Gated(
        ushort[] gateUp, ushort[] input, int expert, int token, int tokens, int columns, int dim, int partCount)
    {
        double[][] parts =
        [
            .. Enumerable.Range(0, partCount).Select(p => input
                .AsSpan(((p * tokens) + token) * columns, columns).ToArray().Select(Exact.Value).ToArray()),
        ];
        Bounded Row(int row) => Bounded.Product(gateUp.AsSpan(((expert * 2 * dim) + row) * columns, columns), parts);
        return [.. Enumerable.Range(0, dim).Select(i => Bounded.GatedValue(Row(i), Row(dim + i)))];
    }
}
