using KimiLinear.Backends;
using KimiLinear.Tensors;
using Xunit;

namespace KimiLinear.Kernels.Tests;

/// <summary>The kernels that multiply weights with scales.</summary>
public sealed class ScaledWeightTests
{
    private const float Epsilon = 1e-5f;

    [Theory]
    [InlineData(DataType.Float8E4M3, 272)]
    [InlineData(DataType.PackedQ8, 96)]
    [InlineData(DataType.PackedQ4, 2304)]
    public void Embed_EveryFormat_WidensRows(DataType type, int columns)
    {
        CudaFormat format = CudaFormats.Of(type)!.Value;
        using TestDevice device = new();
        ScaledWeights table = new(new Samples(), format, 1, 9, columns);
        int[] tokens = [8, 0, 3, 3];
        DeviceBuffer hidden = device.Reserve<float>(tokens.Length * columns);
        EmbedArguments arguments = new()
        {
            Table = table.Upload(device),
            Tokens = device.Upload(tokens).Address,
            Hidden = hidden.Address,
            Columns = columns,
        };

        device.Run(() => device.Kernels.Embed(device.Stream, arguments, tokens.Length, format));

        double[] expected = [.. tokens.SelectMany(token => table.Values[(token * columns)..((token + 1) * columns)])];
        Exact.AssertClose(expected, hidden.Read<float>(), 1e-6);
    }

    [Theory]
    [InlineData(DataType.Float8E4M3, 16, 1, 1, true, 0)]
    [InlineData(DataType.Float8E4M3, 400, 33, 3, false, 5)]
    [InlineData(DataType.Float8E4M3, 2304, 20, 8, true, 0)]
    [InlineData(DataType.PackedQ8, 32, 7, 2, true, 3)]
    [InlineData(DataType.PackedQ8, 1056, 40, 5, false, 0)]
    [InlineData(DataType.PackedQ8, 9216, 18, 1, true, 0)]
    [InlineData(DataType.PackedQ4, 32, 16, 1, true, 0)]
    [InlineData(DataType.PackedQ4, 608, 21, 4, false, 1)]
    [InlineData(DataType.PackedQ4, 2304, 48, 9, true, 0)]
    public void Project_EveryFormat_MatchesFormula(
        DataType type, int columns, int outputs, int tokens, bool adds, int neighbours)
    {
        CudaFormat format = CudaFormats.Of(type)!.Value;
        Samples samples = new();
        using TestDevice device = new();
        ScaledWeights weight = new(samples, format, 1, outputs, columns);
        float[] input = samples.Floats(tokens * columns, 3);
        float[] norm = samples.Norm(columns);
        int stride = outputs + neighbours;
        float[] before = samples.Floats(tokens * stride);
        DeviceBuffer output = device.Upload(before);
        ProjectArguments arguments = new()
        {
            Input = device.Upload(input).Address,
            Norm = device.Upload(norm).Address,
            Weight = weight.Upload(device),
            Rows = 0,
            Output = output.Address + (neighbours * sizeof(float)),
            Columns = columns,
            Outputs = outputs,
            OutputStride = stride,
            Tokens = tokens,
            Adds = adds ? 1 : 0,
            Epsilon = Epsilon,
        };

        device.Run(() => device.Kernels.Project(device.Stream, arguments, format));

        double[] expected = [.. before.Select(value => (double)value)];
        for (int t = 0; t < tokens; t++)
        {
            double[] x = Exact.RmsNorm(Exact.Row(input, t, columns), norm, Epsilon);
            for (int row = 0; row < outputs; row++)
            {
                int i = (t * stride) + neighbours + row;
                expected[i] = Product(weight.Values, row, x) + (adds ? expected[i] : 0);
            }
        }

        Exact.AssertClose(expected, output.Read<float>());
    }

    [Theory]
    [InlineData(DataType.Float8E4M3, 144, 32, 48, 5, 3, 2)]
    [InlineData(DataType.PackedQ8, 96, 64, 32, 6, 2, 3)]
    [InlineData(DataType.PackedQ4, 96, 64, 96, 5, 4, 2)]
    [InlineData(DataType.PackedQ4, 64, 32, 0, 4, 4, 1)]
    [InlineData(DataType.Float8E4M3, 64, 0, 160, 0, 0, 3)]
    public void ExpertGateUpAndDown_EveryFormat_MatchFormula(
        DataType type, int columns, int expertDim, int sharedDim, int experts, int active, int tokens)
    {
        CudaFormat format = CudaFormats.Of(type)!.Value;
        Samples samples = new();
        using TestDevice device = new();
        float[] input = samples.Floats(tokens * columns, 2);
        float[] norm = samples.Norm(columns);
        ScaledWeights? gateUp = active == 0 ? null : new(samples, format, experts, 2 * expertDim, columns);
        ScaledWeights? down = active == 0 ? null : new(samples, format, experts, columns, expertDim);
        ScaledWeights? sharedGateUp = sharedDim == 0 ? null : new(samples, format, 1, 2 * sharedDim, columns);
        ScaledWeights? sharedDown = sharedDim == 0 ? null : new(samples, format, 1, columns, sharedDim);
        int[] chosen = [.. Enumerable.Range(0, tokens).SelectMany(
            t => Enumerable.Range(0, experts).OrderBy(e => (e * 7 + t * 3) % 11).Take(active).Order())];
        float[] weights = samples.Floats(tokens * active);
        float[] before = samples.Floats(tokens * columns);
        DeviceBuffer activations = device.Reserve<float>(tokens * ((active * expertDim) + sharedDim));
        DeviceBuffer hidden = device.Upload(before);
        nint chosenAddress = device.Upload(chosen).Address;
        ExpertGateUpArguments first = new()
        {
            Input = device.Upload(input).Address,
            Norm = device.Upload(norm).Address,
            GateUp = gateUp?.Upload(device) ?? default,
            SharedGateUp = sharedGateUp?.Upload(device) ?? default,
            Experts = chosenAddress,
            Activations = activations.Address,
            Columns = columns,
            ExpertDim = expertDim,
            SharedDim = sharedDim,
            ActiveCount = active,
            Epsilon = Epsilon,
        };
        ExpertDownArguments second = new()
        {
            Activations = activations.Address,
            Experts = chosenAddress,
            Weights = device.Upload(weights).Address,
            Down = down?.Upload(device) ?? default,
            SharedDown = sharedDown?.Upload(device) ?? default,
            Hidden = hidden.Address,
            Columns = columns,
            ExpertDim = expertDim,
            SharedDim = sharedDim,
            ActiveCount = active,
        };

        device.Run(() =>
        {
            device.Kernels.ExpertGateUp(device.Stream, first, tokens, format);
            device.Kernels.ExpertDown(device.Stream, second, tokens, format);
        });

        double[] expected = [.. before.Select(value => (double)value)];
        for (int t = 0; t < tokens; t++)
        {
            double[] x = Exact.RmsNorm(Exact.Row(input, t, columns), norm, Epsilon);
            for (int i = 0; i < active; i++)
            {
                Add(gateUp!, down!, x, chosen[(t * active) + i], expertDim, weights[(t * active) + i], t);
            }

            if (sharedDim > 0)
            {
                Add(sharedGateUp!, sharedDown!, x, 0, sharedDim, 1, t);
            }
        }

        Exact.AssertClose(expected, hidden.Read<float>());

        void Add(ScaledWeights gates, ScaledWeights downs, double[] x, int expert, int dim, double factor, int token)
        {
            double[] inner = [.. Enumerable.Range(0, dim).Select(i =>
                Exact.Silu(Product(gates.Values, (expert * 2 * dim) + i, x))
                    * Product(gates.Values, (((expert * 2) + 1) * dim) + i, x))];
            for (int c = 0; c < columns; c++)
            {
                expected[(token * columns) + c] += factor * Product(downs.Values, (expert * columns) + c, inner);
            }
        }
    }

    // With one multiprocessor the tile follows from the tokens: 128 rows from 65 on, 64 from 33 on, 16 below.
    [Theory]
    [InlineData(DataType.Float8E4M3, 16, 1, 1, 1, false, 0)]
    [InlineData(DataType.Float8E4M3, 272, 130, 17, 2, true, 0)]
    [InlineData(DataType.Float8E4M3, 400, 257, 70, 1, false, 3)]
    [InlineData(DataType.Float8E4M3, 144, 128, 33, 2, false, 1)]
    [InlineData(DataType.PackedQ8, 32, 3, 7, 2, false, 1)]
    [InlineData(DataType.PackedQ8, 288, 133, 129, 1, true, 0)]
    [InlineData(DataType.PackedQ8, 2304, 20, 40, 2, false, 0)]
    [InlineData(DataType.PackedQ4, 32, 16, 16, 1, true, 0)]
    [InlineData(DataType.PackedQ4, 96, 272, 65, 2, false, 2)]
    [InlineData(DataType.PackedQ4, 2304, 40, 36, 1, false, 0)]
    public void MatMul_EveryFormat_IsRightToTheRoundingOfItsSums(
        DataType type, int columns, int outputs, int tokens, int partCount, bool adds, int neighbours)
    {
        CudaFormat format = CudaFormats.Of(type)!.Value;
        Samples samples = new();
        using TestDevice device = new(multiprocessorCount: 1);
        ushort[] input = samples.Matrix(partCount * tokens, columns);
        ScaledWeights weight = new(samples, format, 1, outputs, columns);
        int stride = outputs + neighbours;
        float[] before = samples.Floats(tokens * stride);
        DeviceBuffer output = device.Upload(before);
        MatMulArguments arguments = new()
        {
            Input = device.Upload(input).Address,
            Weight = weight.Upload(device),
            Output = output.Address + (neighbours * sizeof(float)),
            Columns = columns,
            Outputs = outputs,
            OutputStride = stride,
            Tokens = tokens,
            Adds = adds ? 1 : 0,
        };

        device.Run(() => device.Prefill.MatMul(device.Stream, arguments, partCount, format));

        Bounded[] expected = [.. before.Select(value => new Bounded(value, 0))];
        for (int t = 0; t < tokens; t++)
        {
            double[][] parts = Parts(input, t, tokens, columns, partCount);
            for (int x = 0; x < outputs; x++)
            {
                int i = (t * stride) + neighbours + x;
                Bounded product = Bounded.ScaledProduct(weight.Values.AsSpan(x * columns, columns), parts);
                expected[i] = adds ? product.Add(1, expected[i]) : product;
            }
        }

        Bounded.AssertAll(expected, output.Read<float>());
        Assert.Equal(0, device.BankConflicts);
    }

    [Theory]
    [InlineData(DataType.Float8E4M3, 144, 80, 20, 4, 9, 2)]
    [InlineData(DataType.Float8E4M3, 16, 16, 300, 2, 2, 1)]
    [InlineData(DataType.PackedQ8, 96, 32, 129, 1, 3, 2)]
    [InlineData(DataType.PackedQ8, 160, 96, 40, 3, 3, 1)]
    [InlineData(DataType.PackedQ4, 32, 96, 70, 4, 7, 1)]
    [InlineData(DataType.PackedQ4, 160, 64, 300, 2, 2, 2)]
    public void GroupedProducts_EveryFormat_AreRightToTheRoundingOfTheirSums(
        DataType type, int columns, int expertDim, int tokens, int active, int experts, int partCount)
    {
        CudaFormat format = CudaFormats.Of(type)!.Value;
        Samples samples = new();
        using TestDevice device = new();
        ExpertGrouping grouping = new(tokens, active, experts);
        int[] chosen = [.. Enumerable.Range(0, tokens).SelectMany(
            t => Enumerable.Range(0, experts).OrderBy(e => (e * 5 + t * 3) % 11).Take(active).Order())];
        ushort[] input = samples.Matrix(partCount * tokens, columns);
        ScaledWeights gateUp = new(samples, format, experts, 2 * expertDim, columns);
        ScaledWeights down = new(samples, format, experts, columns, expertDim);
        nint order = device.Reserve<byte>((int)grouping.OrderBytes).Address;
        nint tiles = device.Reserve<byte>((int)grouping.TileBytes).Address;
        nint activations = device.Reserve<ushort>(partCount * grouping.RowCount * expertDim).Address;
        DeviceBuffer outputs = device.Reserve<float>(grouping.RowCount * columns);
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
            GateUp = gateUp.Upload(device),
            Tiles = tiles,
            Order = order,
            Activations = activations,
            Columns = columns,
            ExpertDim = expertDim,
        };
        GroupedDownArguments second = new()
        {
            Activations = activations,
            Down = down.Upload(device),
            Tiles = tiles,
            Order = order,
            Outputs = outputs.Address,
            Columns = columns,
            ExpertDim = expertDim,
        };

        device.Run(() =>
        {
            device.Prefill.OrderExperts(device.Stream, ordering, grouping);
            device.Prefill.GroupedGateUp(device.Stream, first, grouping, partCount, format);
            device.Prefill.GroupedDown(device.Stream, second, grouping, partCount, format);
        });

        Bounded[] expected = new Bounded[grouping.RowCount * columns];
        for (int row = 0; row < grouping.RowCount; row++)
        {
            double[][] parts = Parts(input, row / active, tokens, columns, partCount);
            Bounded[] inner = [.. Enumerable.Range(0, expertDim).Select(i => Bounded.GatedValue(
                Row(gateUp, (chosen[row] * 2 * expertDim) + i), Row(gateUp, (((chosen[row] * 2) + 1) * expertDim) + i)))];
            for (int c = 0; c < columns; c++)
            {
                ReadOnlySpan<double> weights = down.Values.AsSpan(((chosen[row] * columns) + c) * expertDim, expertDim);
                expected[(row * columns) + c] = Bounded.ScaledProduct(weights, inner, partCount);
            }

            Bounded Row(ScaledWeights matrix, int index) =>
                Bounded.ScaledProduct(matrix.Values.AsSpan(index * columns, columns), parts);
        }

        Bounded.AssertAll(expected, outputs.Read<float>());
        Assert.Equal(0, device.BankConflicts);
    }

    [Theory]
    [InlineData(DataType.Float8E4M3, 24)]
    [InlineData(DataType.PackedQ8, 48)]
    [InlineData(DataType.PackedQ4, 16)]
    public void Project_ColumnsThatAreNoWholeBlocks_AreRefused(DataType type, int columns)
    {
        CudaFormat format = CudaFormats.Of(type)!.Value;
        using TestDevice device = new();
        ProjectArguments arguments = new()
        {
            Input = 0,
            Norm = 0,
            Weight = default,
            Rows = 0,
            Output = 0,
            Columns = columns,
            Outputs = 1,
            OutputStride = 1,
            Tokens = 1,
            Adds = 0,
            Epsilon = 0,
        };

        ArgumentException exception =
            Assert.Throws<ArgumentException>(() => device.Kernels.Project(device.Stream, arguments, format));

        Assert.Contains($"has rows of {columns} values", exception.Message, StringComparison.Ordinal);
    }

    private static double Product(double[] weights, int row, double[] x)
    {
        double sum = 0;
        for (int c = 0; c < x.Length; c++)
        {
            sum += weights[(row * x.Length) + c] * x[c];
        }

        return sum;
    }

    private static double[][] Parts(ushort[] input, int token, int tokens, int columns, int partCount) =>
    [
        .. Enumerable.Range(0, partCount).Select(p =>
            input.AsSpan(((p * tokens) + token) * columns, columns).ToArray().Select(Exact.Value).ToArray()),
    ];
}
