using Xunit;

namespace KimiLinear.Kernels.Tests;

/// <summary>The formulas in float64, and how far a kernel may be from them.</summary>
internal static class Exact
{
    /// <summary>Relative to the largest value of a result: some hundred roundings of float32.</summary>
    public const double Tolerance = 4e-6;

    public static double Value(ushort bfloat16) => BitConverter.UInt32BitsToSingle((uint)bfloat16 << 16);

    public static double Sigmoid(double x) => 1 / (1 + Math.Exp(-x));

    public static double Silu(double x) => x * Sigmoid(x);

    public static double[] Row(float[] values, int row, int columns) =>
        [.. values.AsSpan(row * columns, columns).ToArray().Select(value => (double)value)];

    public static double[] RmsNorm(double[] x, float[]? norm, double epsilon)
    {
        if (norm is null)
        {
            return x;
        }

        double scale = 1 / Math.Sqrt((x.Sum(value => value * value) / x.Length) + epsilon);
        return [.. x.Select((value, i) => value * scale * norm[i])];
    }

    /// <summary>Rows of a matrix times a vector.</summary>
    public static double[] Project(ushort[] matrix, double[] x, int firstRow, int rowCount)
    {
        double[] y = new double[rowCount];
        for (int row = 0; row < rowCount; row++)
        {
            for (int c = 0; c < x.Length; c++)
            {
                y[row] += Value(matrix[((firstRow + row) * x.Length) + c]) * x[c];
            }
        }

        return y;
    }

    public static double[] GatedMlp(ushort[] gateUp, ushort[] down, double[] x, int expert, int dim)
    {
        double[] both = Project(gateUp, x, expert * 2 * dim, 2 * dim);
        double[] inner = [.. Enumerable.Range(0, dim).Select(i => Silu(both[i]) * both[dim + i])];
        return Project(down, inner, expert * x.Length, x.Length);
    }

    public static void AssertClose(double[] expected, float[] actual, double tolerance = Tolerance)
    {
        Assert.Equal(expected.Length, actual.Length);
        double scale = expected.Max(Math.Abs);
        for (int i = 0; i < expected.Length; i++)
        {
            Assert.True(
                Math.Abs(expected[i] - actual[i]) <= tolerance * scale,
                $"Value {i} is {actual[i]:R}, but {expected[i]:R} is right; the largest is {scale:R}.");
        }
    }
}
