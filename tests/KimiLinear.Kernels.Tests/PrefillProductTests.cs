using KimiLinear.Backends;
using Xunit;

namespace KimiLinear.Kernels.Tests;

public sealed class PrefillProductTests
{
    private const float Epsilon = 1e-5f;

    [Theory]
    [InlineData(8, 1, 1, false)]
    [InlineData(8, 9, 2, true)]
    [InlineData(264, 7, 2, false)]
    [InlineData(2304, 17, 1, true)]
    public void SplitRows_WithoutNorm_AreTheRoundedValueAndItsRest(int columns, int tokens, int partCount, bool picksRows)
    {
        Samples samples = new();
        using TestDevice device = new();
        int rowCount = picksRows ? 2 * tokens : tokens;
        float[] input = samples.Floats(rowCount * columns, 30);
        int[]? rows = picksRows ? samples.Integers(tokens, rowCount) : null;

        ushort[] parts = Split(device, input, null, rows, columns, tokens, partCount);

        for (int i = 0; i < tokens * columns; i++)
        {
            float value = input[((rows?[i / columns] ?? (i / columns)) * columns) + (i % columns)];
            for (int p = 0; p < partCount; p++)
            {
                ushort part = parts[(p * tokens * columns) + i];

                Assert.Equal(Rounded(value), part);
                value -= (float)Exact.Value(part);
            }
        }
    }

    [Theory]
    [InlineData(8, 1, 1)]
    [InlineData(40, 33, 2)]
    [InlineData(2304, 3, 1)]
    [InlineData(2304, 5, 2)]
    [InlineData(9216, 2, 2)]
    public void SplitRows_BehindANorm_AreCloseToTheFormula(int columns, int tokens, int partCount)
    {
        Samples samples = new();
        using TestDevice device = new();
        float[] input = samples.Floats(tokens * columns, 30);
        float[] norm = samples.Norm(columns);

        ushort[] parts = Split(device, input, norm, null, columns, tokens, partCount);

        // The factor of the norm and the products with it are rounded some times before the parts are taken.
        double tolerance = Bounded.PartLoss(partCount) + 2e-6;
        for (int t = 0; t < tokens; t++)
        {
            double[] expected = Exact.RmsNorm(Exact.Row(input, t, columns), norm, Epsilon);
            for (int c = 0; c < columns; c++)
            {
                double sum = Enumerable.Range(0, partCount).Sum(p => Exact.Value(parts[(((p * tokens) + t) * columns) + c]));

                Assert.InRange(sum - expected[c], -tolerance * Math.Abs(expected[c]), tolerance * Math.Abs(expected[c]));
            }
        }
    }

    [Fact]
    public void SplitRows_WhatIsNoFiniteNumber_LeavesNoRest()
    {
        using TestDevice device = new();
        float[] input =
        [
            float.PositiveInfinity, float.NegativeInfinity, float.NaN, float.MaxValue, 0, -0.0f, 1e-44f, 1.00390625f,
        ];

        ushort[] parts = Split(device, input, null, null, 8, 1, 2);

        Assert.Equal([0x7F80, 0xFF80, 0x7FFF, 0x7F80, 0, 0x8000, 0, 0x3F80], parts[..8]);
        Assert.Equal([0, 0, 0, 0, 0, 0, 0, 0x3B80], parts[8..]);
    }

    // With one multiprocessor the tile follows from the tokens: 128 rows from 65 on, 64 from 33 on, 16 below.
    [Theory]
    [InlineData(8, 1, 1, 1, false)]
    [InlineData(72, 130, 1, 2, true)]
    [InlineData(16, 3, 7, 2, false)]
    [InlineData(264, 129, 17, 1, false)]
    [InlineData(2304, 20, 32, 2, true)]
    [InlineData(40, 257, 33, 1, true)]
    [InlineData(96, 128, 64, 2, false)]
    [InlineData(104, 65, 65, 1, false)]
    [InlineData(72, 130, 129, 2, true)]
    [InlineData(40, 7, 129, 1, false)]
    [InlineData(1032, 36, 100, 2, false)]
    [InlineData(32, 128, 256, 1, true)]
    [InlineData(8, 5, 2100, 2, false)]
    public void MatMul_AnySizes_IsRightToTheRoundingOfItsSums(int columns, int outputs, int tokens, int partCount, bool adds)
    {
        Samples samples = new();
        using TestDevice device = new(multiprocessorCount: 1);
        ushort[] input = samples.Matrix(partCount * tokens, columns);
        ushort[] weight = samples.Matrix(outputs, columns);
        float[] before = samples.Floats(tokens * outputs);
        DeviceBuffer output = adds ? device.Upload(before) : device.Reserve<float>(before.Length);
        MatMulArguments arguments = new()
        {
            Input = device.Upload(input).Address,
            Weight = new WeightMatrix { Values = device.Upload(weight).Address },
            Output = output.Address,
            Columns = columns,
            Outputs = outputs,
            OutputStride = outputs,
            Tokens = tokens,
            Adds = adds ? 1 : 0,
        };

        device.Run(() => device.Prefill.MatMul(device.Stream, arguments, partCount));

        Bounded[] expected = new Bounded[tokens * outputs];
        for (int t = 0; t < tokens; t++)
        {
            double[][] parts = [.. Enumerable.Range(0, partCount).Select(p => Values(input, (p * tokens) + t, columns))];
            for (int x = 0; x < outputs; x++)
            {
                int i = (t * outputs) + x;
                Bounded product = Bounded.Product(weight.AsSpan(x * columns, columns), parts);
                expected[i] = adds ? product.Add(1, new Bounded(before[i], 0)) : product;
            }
        }

        Bounded.AssertAll(expected, output.Read<float>());
        Assert.Equal(0, device.BankConflicts);
    }

    [Theory]
    [InlineData(1, 264)]
    [InlineData(2, 264)]
    [InlineData(1, 2304)]
    [InlineData(2, 2304)]
    public void SplitRowsAndMatMul_FloatsInParts_LoseWhatThePartsLose(int partCount, int columns)
    {
        const int Tokens = 37;
        const int Outputs = 40;
        Samples samples = new();
        using TestDevice device = new();
        float[] input = samples.Floats(Tokens * columns, 5);
        ushort[] weight = samples.Matrix(Outputs, columns);
        nint parts = device.Reserve<ushort>(partCount * Tokens * columns).Address;
        DeviceBuffer output = device.Reserve<float>(Tokens * Outputs);
        SplitRowsArguments split = Splitting(device, input, null, null, parts, columns, Tokens, partCount);
        MatMulArguments product = new()
        {
            Input = parts,
            Weight = new WeightMatrix { Values = device.Upload(weight).Address },
            Output = output.Address,
            Columns = columns,
            Outputs = Outputs,
            OutputStride = Outputs,
            Tokens = Tokens,
            Adds = 0,
        };

        device.Run(() =>
        {
            device.Prefill.SplitRows(device.Stream, split);
            device.Prefill.MatMul(device.Stream, product, partCount);
        });

        Bounded[] expected = new Bounded[Tokens * Outputs];
        for (int i = 0; i < expected.Length; i++)
        {
            Bounded[] row = [.. Exact.Row(input, i / Outputs, columns).Select(value => new Bounded(value, 0))];
            expected[i] = Bounded.Product(weight.AsSpan(i % Outputs * columns, columns), row, partCount);
        }

        Bounded.AssertAll(expected, output.Read<float>());
    }

    [Fact]
    public void MatMul_TokensAloneOrInAnyTile_SameBits()
    {
        const int Columns = 136;
        const int Outputs = 19;
        const int Tokens = 70;
        Samples samples = new();
        using TestDevice device = new(multiprocessorCount: 1);
        ushort[] input = samples.Matrix(Tokens, Columns);
        DeviceBuffer together = device.Reserve<float>(Tokens * Outputs);
        DeviceBuffer apart = device.Reserve<float>(Tokens * Outputs);
        MatMulArguments arguments = new()
        {
            Input = device.Upload(input).Address,
            Weight = new WeightMatrix { Values = device.Upload(samples.Matrix(Outputs, Columns)).Address },
            Output = together.Address,
            Columns = Columns,
            Outputs = Outputs,
            OutputStride = Outputs,
            Tokens = Tokens,
            Adds = 0,
        };

        device.Run(() =>
        {
            device.Prefill.MatMul(device.Stream, arguments, 1);
            int first = 0;
            foreach (int count in (int[])[40, 17, 1, 12])
            {
                MatMulArguments some = arguments with
                {
                    Input = arguments.Input + (first * Columns * sizeof(ushort)),
                    Output = apart.Address + (first * Outputs * sizeof(float)),
                    Tokens = count,
                };
                device.Prefill.MatMul(device.Stream, some, 1);
                first += count;
            }
        });

        Assert.Equal(apart.Read<float>(), together.Read<float>());
    }

    private static ushort[] Split(
        TestDevice device, float[] input, float[]? norm, int[]? rows, int columns, int tokens, int partCount)
    {
        DeviceBuffer parts = device.Reserve<ushort>(partCount * tokens * columns);
        SplitRowsArguments arguments = Splitting(device, input, norm, rows, parts.Address, columns, tokens, partCount);

        device.Run(() => device.Prefill.SplitRows(device.Stream, arguments));

        return parts.Read<ushort>();
    }

    private static SplitRowsArguments Splitting(
        TestDevice device,
        float[] input,
        float[]? norm,
        int[]? rows,
        nint parts,
        int columns,
        int tokens,
        int partCount) => new()
        {
            Input = device.Upload(input).Address,
            Norm = norm is null ? 0 : device.Upload(norm).Address,
            Rows = rows is null ? 0 : device.Upload(rows).Address,
            Parts = parts,
            Columns = columns,
            Tokens = tokens,
            PartCount = partCount,
            Epsilon = Epsilon,
        };

    // To the nearest, ties to even.
    private static ushort Rounded(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        return (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }

    private static double[] Values(ushort[] matrix, int row, int columns) =>
        [.. matrix.AsSpan(row * columns, columns).ToArray().Select(Exact.Value)];
}
