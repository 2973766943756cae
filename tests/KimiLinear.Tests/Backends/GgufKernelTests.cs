using KimiLinear.Backends;
using KimiLinear.Tensors;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Tests.Backends;

/// <summary>Products with GGUF matrices by the integer kernels, against plain sums in double precision.</summary>
public sealed unsafe class GgufKernelTests
{
    // Products are exact integers; only scales and the sums over blocks are rounded to float32.
    private const double Tolerance = 2e-6;

    public static TheoryData<DataType, string> TypesAndWidths =>
        new MatrixTheoryData<DataType, string>(GgufValue.Types, Kernels.IntegerKernels.Select(row => row.Data));

    [Theory]
    [MemberData(nameof(TypesAndWidths))]
    public void MultiplyRows_AnyTokenAndRowCount_IsTheProductOfTheRoundedActivations(DataType type, string width)
    {
        IntegerKernels kernels = CpuBackends.IntegersOf(Enum.Parse<SimdWidth>(width));
        foreach ((int rowCount, int columnCount) in Sizes(type))
        {
            using GgufRows rows = new(type, rowCount, columnCount);
            foreach (bool eightBit in new[] { false, true })
            {
                foreach (int tokenCount in new[] { 1, 2, 3, 4, 5, 6, 7, 8, 9, 33 })
                {
                    using Activations x = new(tokenCount, columnCount, type, eightBit);

                    float[] actual = Multiply(kernels, x.Operand, rows);

                    AssertProduct(actual, x, rows, $"{tokenCount} tokens, {rowCount} × {columnCount}, 8 bit {eightBit}");
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(TypesAndWidths))]
    public void MultiplyRows_SomeOfTheTokensAndRows_GivesTheSameBits(DataType type, string width)
    {
        const int RowCount = 150;
        const int ColumnCount = 768;
        const int TokenCount = 37;
        IntegerKernels kernels = CpuBackends.IntegersOf(Enum.Parse<SimdWidth>(width));
        using GgufRows rows = new(type, RowCount, ColumnCount);
        foreach (bool eightBit in new[] { false, true })
        {
            using Activations x = new(TokenCount, ColumnCount, type, eightBit);
            float[] whole = Multiply(kernels, x.Operand, rows);

            for (int count = 1; count <= 12; count++)
            {
                float[] some = Multiply(kernels, x.Operand.From(count, count), rows);
                TensorAssert.Identical(some, whole.AsSpan(count * RowCount, count * RowCount), $"{count} tokens");
            }

            foreach (int firstRow in new[] { 16, 48, 144 })
            {
                float[] lower = Multiply(kernels, x.Operand.From(3, 9), rows, firstRow);
                float[] expected =
                    [.. Enumerable.Range(3, 9).SelectMany(t => whole[((t * RowCount) + firstRow)..((t + 1) * RowCount)])];
                TensorAssert.Identical(lower, expected, $"from row {firstRow} on");
            }
        }
    }

    [Theory]
    [MemberData(nameof(TypesAndWidths))]
    public void MultiplyRows_SelectedTokensAddedWithScales_AddsEachWhereItBelongs(DataType type, string width)
    {
        const int RowCount = 40;
        const int ColumnCount = 512;
        IntegerKernels kernels = CpuBackends.IntegersOf(Enum.Parse<SimdWidth>(width));
        using GgufRows rows = new(type, RowCount, ColumnCount);
        using ScratchBuffer scratch = new();
        foreach (int count in new[] { 3, 10 })
        {
            using Activations x = new(12, ColumnCount, type, eightBit: true);
            float[] whole = Multiply(kernels, x.Operand, rows);
            int[] inputs = [.. Enumerable.Range(0, count).Select(i => i * 7 % 12)];
            int[] outputs = [.. Enumerable.Range(0, count).Select(i => count - 1 - i)];
            float[] scales = Kernels.Random(new Random(3), count);
            float[] actual = Kernels.Random(new Random(4), count * RowCount);
            float[] expected = [.. actual];
            for (int i = 0; i < count; i++)
            {
                for (int r = 0; r < RowCount; r++)
                {
                    expected[(outputs[i] * RowCount) + r] += whole[(inputs[i] * RowCount) + r] * scales[i];
                }
            }

            fixed (int* from = inputs, to = outputs)
            fixed (float* factors = scales, y = actual)
            {
                Assert.True(x.Operand.Select(from, count).TryGet(type, out FormedRows formed));
                MatMulOutput output = new(y, RowCount, add: true, to, factors);
                kernels.MultiplyRows(formed, type, rows.Data, RowCount, scratch, output);
            }

            TensorAssert.Identical(actual, expected, $"{count} tokens");
        }
    }

    [Theory]
    [MemberData(nameof(TypesAndWidths))]
    public void MultiplyRows_LargestCodesEverywhere_DoesNotOverflow(DataType type, string width)
    {
        const int RowCount = 16;
        const int ColumnCount = 256;
        IntegerKernels kernels = CpuBackends.IntegersOf(Enum.Parse<SimdWidth>(width));
        foreach (byte bits in new byte[] { 0x00, 0x7F, 0x80, 0xFF })
        {
            using GgufRows rows = new(type, RowCount, ColumnCount, bits);
            foreach (bool eightBit in new[] { false, true })
            {
                foreach (int tokenCount in new[] { 1, 8 })
                {
                    foreach (float value in new[] { -1f, 1f })
                    {
                        using Activations x = new(tokenCount, ColumnCount, type, eightBit, value);

                        float[] actual = Multiply(kernels, x.Operand, rows);

                        AssertProduct(actual, x, rows, $"bytes {bits:X2} times {value}, {tokenCount} tokens, 8 bit {eightBit}");
                    }
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(TypesAndWidths))]
    public void MultiplyRows_TokenWithoutNumber_SpoilsThatTokenOnly(DataType type, string width)
    {
        const int RowCount = 20;
        const int ColumnCount = 256;
        IntegerKernels kernels = CpuBackends.IntegersOf(Enum.Parse<SimdWidth>(width));
        using GgufRows rows = new(type, RowCount, ColumnCount);
        foreach (int tokenCount in new[] { 2, 9 })
        {
            using Activations x = new(tokenCount, ColumnCount, type, eightBit: true);
            x.Set(1, 40, float.NaN);

            float[] actual = Multiply(kernels, x.Operand, rows);

            for (int i = 0; i < actual.Length; i++)
            {
                Assert.Equal(i / RowCount == 1, float.IsNaN(actual[i]));
            }
        }
    }

    // Rows that fill no tile or no panel, and blocks that fill no strip, where the type allows that, or no pair.
    private static (int Rows, int Columns)[] Sizes(DataType type) => type.BlockLength() == QuantizedRows.BlockColumns
        ? [(16, 64), (37, 352), (16, 288), (150, 96)]
        : [(16, 256), (37, 768), (150, 256)];

    private static float[] Multiply(IntegerKernels kernels, Operand x, GgufRows rows, int firstRow = 0)
    {
        using ScratchBuffer scratch = new();
        int count = rows.RowCount - firstRow;
        float[] y = new float[x.Count * count];
        Assert.True(x.TryGet(rows.Type, out FormedRows formed));
        fixed (float* output = y)
        {
            byte* data = rows.Data + rows.Type.ByteCount((long)firstRow * rows.ColumnCount);
            kernels.MultiplyRows(formed, rows.Type, data, count, scratch, new MatMulOutput(output, count));
        }

        return y;
    }

    private static void AssertProduct(float[] actual, Activations x, GgufRows rows, string what)
    {
        for (int t = 0; t < x.Count; t++)
        {
            float[] input = x.Rounded(t);
            for (int r = 0; r < rows.RowCount; r++)
            {
                double expected = 0;
                double magnitude = 0;
                for (int c = 0; c < rows.ColumnCount; c++)
                {
                    double product = (double)rows.Values[(r * rows.ColumnCount) + c] * input[c];
                    expected += product;
                    magnitude += Math.Abs(product);
                }

                double error = Math.Abs(actual[(t * rows.RowCount) + r] - expected);
                Assert.True(
                    error <= Tolerance * (magnitude + Offsets(rows.Type, input)),
                    $"{what}: token {t}, row {r} is off by {error:E2} of {magnitude:E2}.");
            }
        }
    }

    // Codes and offsets are summed apart and may cancel; scales are at most 1/2, 6-bit factors 63, codes 31.
    private static double Offsets(DataType type, float[] input) =>
        (type is DataType.GgufQ80 or DataType.GgufQ6K ? 0 : 0.5 * 32)
        * (type is DataType.GgufQ4K or DataType.GgufQ5K ? 63 : 1)
        * input.Sum(Math.Abs);

    /// <summary>Rows of activations in the quantised forms for a type.</summary>
    private sealed class Activations : IDisposable
    {
        private readonly GuardedMemory _memory;
        private readonly OperandBuffer _buffer = new();
        private readonly int _columnCount;
        private readonly int _maxCode;

        public Activations(int count, int columnCount, DataType type, bool eightBit, float? value = null)
        {
            (Count, _columnCount) = (count, columnCount);
            _maxCode = eightBit && StripLayout.HasNibbles(type) ? 127 : 16383;
            _memory = new GuardedMemory((long)count * columnCount * sizeof(float));
            Span<float> values = new(_memory.Data, count * columnCount);
            Kernels.Random(new Random(count), values.Length).CopyTo(values);
            if (value is { } constant)
            {
                values.Fill(constant);
            }

            MatMulInput floats = new((float*)_memory.Data, columnCount, count);
            Operand = _buffer.Reserve(floats, columnCount, OperandForms.For(DataTypeSet.Of(type), eightBit, isExpert: true));
            for (int t = 0; t < count; t++)
            {
                Operand.Quantize(t);
            }
        }

        public int Count { get; }

        public Operand Operand { get; }

        public void Set(int token, int column, float value)
        {
            Operand.Floats.Row(token)[column] = value;
            Operand.Quantize(token);
        }

        /// <summary>A row as the definition of the quantised forms says: the nearest multiples of a scale for each 32.</summary>
        public float[] Rounded(int token)
        {
            float[] row = new ReadOnlySpan<float>(Operand.Floats.Row(token), _columnCount).ToArray();
            for (int start = 0; start < row.Length; start += 32)
            {
                Span<float> block = row.AsSpan(start, 32);
                float max = 0;
                foreach (float value in block)
                {
                    max = Math.Max(max, Math.Abs(value));
                }

                foreach (ref float value in block)
                {
                    value = MathF.Round(value * (_maxCode / max)) * (max / _maxCode);
                }
            }

            return row;
        }

        public void Dispose()
        {
            _memory.Dispose();
            _buffer.Dispose();
        }
    }
}
