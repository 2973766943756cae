namespace KimiLinear.Kernels.Tests;

/// <summary>Random inputs, the same for the same seed.</summary>
/// <param name="offset">Added to the seed, for values that differ from the others.</param>
internal sealed class Samples(int offset = 0)
{
    private readonly Random _random = new(Seed + offset);

    /// <summary>What the values depend on.</summary>
    public static int Seed { get; set; } = 42;

    /// <summary>Values in (−scale, scale).</summary>
    public float[] Floats(int count, float scale = 1)
    {
        float[] values = new float[count];
        for (int i = 0; i < count; i++)
        {
            values[i] = (float)((_random.NextDouble() * 2) - 1) * scale;
        }

        return values;
    }

    /// <summary>Values of a norm: around one.</summary>
    public float[] Norm(int count) => [.. Floats(count, 0.5f).Select(value => 1 + value)];

    /// <summary>Weights of a matrix, such that a row's product with values around one is around one.</summary>
    public ushort[] Matrix(int rows, int columns)
    {
        float[] values = Floats(rows * columns, 2 / MathF.Sqrt(columns));
        return [.. values.Select(value => (ushort)(BitConverter.SingleToUInt32Bits(value) >> 16))];
    }

    public int[] Integers(int count, int below) => [.. Enumerable.Range(0, count).Select(_ => _random.Next(below))];
}
