using KimiLinear.Backends;
using Xunit;

namespace KimiLinear.Kernels.Tests;

public sealed class ProjectionTests
{
    private const float Epsilon = 1e-5f;

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(300)]
    public void Embed_AnyWidth_CopiesRows(int columns)
    {
        Samples samples = new();
        using TestDevice device = new();
        ushort[] table = samples.Matrix(9, columns);
        int[] tokens = [8, 0, 3, 3];
        DeviceBuffer hidden = device.Reserve<float>(tokens.Length * columns);
        EmbedArguments arguments = new()
        {
            Table = new WeightMatrix { Values = device.Upload(table).Address },
            Tokens = device.Upload(tokens).Address,
            Hidden = hidden.Address,
            Columns = columns,
        };

        device.Run(() => device.Kernels.Embed(device.Stream, arguments, tokens.Length));

        float[] expected = [.. tokens.SelectMany(
            token => table[(token * columns)..((token + 1) * columns)].Select(value => (float)Exact.Value(value)))];
        Assert.Equal(expected, hidden.Read<float>());
    }

    [Theory]
    [InlineData(1, 3, false)]
    [InlineData(5, 2, true)]
    [InlineData(2304, 3, false)]
    [InlineData(1000, 1, true)]
    public void RmsNorm_AnyWidth_MatchesFormula(int columns, int tokens, bool inPlace)
    {
        Samples samples = new();
        using TestDevice device = new();
        float[] input = samples.Floats(tokens * columns, 30);
        float[] norm = samples.Norm(columns);
        DeviceBuffer source = device.Upload(input);
        DeviceBuffer output = inPlace ? source : device.Reserve<float>(input.Length);
        RmsNormArguments arguments = new()
        {
            Input = source.Address,
            Norm = device.Upload(norm).Address,
            Output = output.Address,
            Columns = columns,
            Epsilon = Epsilon,
        };

        device.Run(() => device.Kernels.RmsNorm(device.Stream, arguments, tokens));

        float[] actual = output.Read<float>();
        for (int t = 0; t < tokens; t++)
        {
            double[] expected = Exact.RmsNorm(Exact.Row(input, t, columns), norm, Epsilon);
            Exact.AssertClose(expected, actual[(t * columns)..((t + 1) * columns)]);
        }
    }

    [Theory]
    [InlineData(8, 1, 1, true, false, false)]
    [InlineData(7, 3, 2, true, false, true)]
    [InlineData(64, 33, 3, false, false, true)]
    [InlineData(21, 17, 9, true, true, false)]
    [InlineData(256, 40, 4, true, false, false)]
    [InlineData(264, 31, 12, false, true, true)]
    [InlineData(2304, 20, 8, true, false, false)]
    [InlineData(2304, 20, 5, true, true, false)]
    [InlineData(9216, 18, 2, false, false, true)]
    [InlineData(4100, 16, 1, true, false, true)]
    public void Project_AnySizes_MatchesFormula(int columns, int outputs, int tokens, bool isNormed, bool picksRows, bool adds)
    {
        Samples samples = new();
        using TestDevice device = new();
        int rowCount = picksRows ? 2 * tokens : tokens;
        float[] input = samples.Floats(rowCount * columns, 3);
        float[]? norm = isNormed ? samples.Norm(columns) : null;
        ushort[] weight = samples.Matrix(outputs, columns);
        int[]? rows = picksRows ? samples.Integers(tokens, rowCount) : null;
        float[] before = samples.Floats(tokens * outputs);
        DeviceBuffer output = adds ? device.Upload(before) : device.Reserve<float>(before.Length);
        ProjectArguments arguments = new()
        {
            Input = device.Upload(input).Address,
            Norm = norm is null ? 0 : device.Upload(norm).Address,
            Weight = new WeightMatrix { Values = device.Upload(weight).Address },
            Rows = rows is null ? 0 : device.Upload(rows).Address,
            Output = output.Address,
            Columns = columns,
            Outputs = outputs,
            OutputStride = outputs,
            Tokens = tokens,
            Adds = adds ? 1 : 0,
            Epsilon = Epsilon,
        };

        device.Run(() => device.Kernels.Project(device.Stream, arguments));

        double[] expected = [.. Enumerable.Range(0, tokens).SelectMany(t => Exact.Project(
            weight, Exact.RmsNorm(Exact.Row(input, rows?[t] ?? t, columns), norm, Epsilon), 0, outputs))];
        if (adds)
        {
            expected = [.. expected.Select((value, i) => value + before[i])];
        }

        Exact.AssertClose(expected, output.Read<float>());
    }

    [Fact]
    public void Project_OneTokenOrMany_SameBits()
    {
        const int Columns = 136;
        const int Outputs = 19;
        const int Tokens = 11;
        Samples samples = new();
        using TestDevice device = new();
        float[] input = samples.Floats(Tokens * Columns);
        DeviceBuffer together = device.Reserve<float>(Tokens * Outputs);
        DeviceBuffer apart = device.Reserve<float>(Tokens * Outputs);
        ProjectArguments arguments = new()
        {
            Input = device.Upload(input).Address,
            Norm = device.Upload(samples.Norm(Columns)).Address,
            Weight = new WeightMatrix { Values = device.Upload(samples.Matrix(Outputs, Columns)).Address },
            Rows = 0,
            Output = together.Address,
            Columns = Columns,
            Outputs = Outputs,
            OutputStride = Outputs,
            Tokens = Tokens,
            Adds = 0,
            Epsilon = Epsilon,
        };

        device.Run(() =>
        {
            device.Kernels.Project(device.Stream, arguments);
            for (int t = 0; t < Tokens; t++)
            {
                ProjectArguments one = arguments with
                {
                    Input = arguments.Input + (t * Columns * sizeof(float)),
                    Output = apart.Address + (t * Outputs * sizeof(float)),
                    Tokens = 1,
                };
                device.Kernels.Project(device.Stream, one);
            }
        });

        Assert.Equal(apart.Read<float>(), together.Read<float>());
    }
}
