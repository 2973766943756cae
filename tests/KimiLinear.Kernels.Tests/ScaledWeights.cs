using System.Runtime.InteropServices;
using KimiLinear.Backends;
using KimiLinear.Tests.TestSupport;

namespace KimiLinear.Kernels.Tests;

/// <summary>Random matrices in a format with scales as weights.h describes it, and what they stand for by that.</summary>
internal sealed class ScaledWeights
{
    // Root of the mean square of random codes, roughly.
    private const float Float8Spread = 90;
    private const float Packed8Spread = 74;
    private const float Packed4Spread = 1000;

    private readonly byte[] _codes;
    private readonly byte[] _scales;
    private readonly float[] _rowScales;
    private readonly int _stride;

    /// <param name="samples">Where the values come from.</param>
    /// <param name="format">The format.</param>
    /// <param name="matrices">How many matrices lie one behind the other.</param>
    /// <param name="rows">Rows of each.</param>
    /// <param name="columns">Columns, whole loads of the format.</param>
    public ScaledWeights(Samples samples, CudaFormat format, int matrices, int rows, int columns)
    {
        int bits = format == CudaFormat.Packed4 ? 4 : 8;
        int blockColumns = format == CudaFormat.Float8 ? 128 : 32;
        int blocks = (columns + blockColumns - 1) / blockColumns;
        _stride = (rows + 7) / 8 * 8;
        _codes = [.. samples.Integers(matrices * rows * columns * bits / 8, 256).Select(code => (byte)code)];
        _rowScales = format == CudaFormat.Packed4
            ? [.. samples.Floats(matrices * rows, 0.5f).Select(value => (1 + value) * Spread(Packed4Spread))]
            : [];
        if (format == CudaFormat.Float8)
        {
            // All numbers; what is none has a test of its own.
            _codes = [.. _codes.Select(code => (code & 0x7F) == 0x7F ? (byte)(code ^ 1) : code)];
            float[] scales = [.. samples.Floats(matrices * blocks * _stride, 0.5f)
                .Select(value => (1 + value) * Spread(Float8Spread))];
            Values = All((i, row, c) => PlainFloat8.Values[_codes[i]] * scales[Scale(row, c)]);
            _scales = Padded(scales);
        }
        else if (format == CudaFormat.Packed8)
        {
            ushort[] scales = [.. samples.Floats(matrices * blocks * _stride, 0.5f)
                .Select(value => (ushort)(BitConverter.SingleToUInt32Bits((1 + value) * Spread(Packed8Spread)) >> 16))];
            Values = All((i, row, c) => (sbyte)_codes[i] * Exact.Value(scales[Scale(row, c)]));
            _scales = Padded(scales);
        }
        else
        {
            ushort[] scales = [.. samples.Integers(matrices * blocks * _stride, 1 << 16).Select(both => (ushort)both)];
            Values = All((i, row, c) =>
            {
                byte pair = _codes[(i - c + (c / 8 * 8)) / 2 + (c % 4)];
                int code = c % 8 < 4 ? pair & 15 : pair >> 4;
                int both = scales[Scale(row, c)];
                return (double)_rowScales[row] * (both & 255) * (code - ((both >> 8) / 16.0));
            });
            _scales = Padded(scales);
        }

        float Spread(float spread) => 2 / (MathF.Sqrt(columns) * spread);

        int Scale(int row, int c) =>
            (((row / rows * blocks) + (c / blockColumns)) * _stride) + (row % rows);

        double[] All(Func<int, int, int, double> value) =>
            [.. Enumerable.Range(0, matrices * rows * columns).Select(i => value(i, i / columns, i % columns))];

        // What stands behind the last row is nobody's.
        byte[] Padded<T>(T[] scales)
            where T : unmanaged
        {
            byte[] bytes = MemoryMarshal.AsBytes(scales.AsSpan()).ToArray();
            int size = bytes.Length / scales.Length;
            for (int i = 0; i < scales.Length; i++)
            {
                if (i % _stride >= rows)
                {
                    bytes.AsSpan(i * size, size).Fill(0xFF);
                }
            }

            return bytes;
        }
    }

    /// <summary>The values, matrix after matrix, row by row.</summary>
    public double[] Values { get; }

    /// <summary>Brings them to a device.</summary>
    public WeightMatrix Upload(TestDevice device) => new()
    {
        Values = device.Upload(_codes).Address,
        Scales = device.Upload(_scales).Address,
        RowScales = _rowScales.Length == 0 ? 0 : device.Upload(_rowScales).Address,
        ScaleStride = _stride,
    };
}
