using KimiLinear.Tensors;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Tests.Tensors;

public sealed unsafe class Float8Tests
{
    [Fact]
    public void ToSingle_EveryCode_IsWhatTheDefinitionSays()
    {
        for (int code = 0; code < 256; code++)
        {
            float expected = (float)PlainFloat8.Values[code];
            float actual = Float8.ToSingle((byte)code);

            Assert.Equal(float.IsNaN(expected), float.IsNaN(actual));
            Assert.True(
                float.IsNaN(expected) || BitConverter.SingleToUInt32Bits(expected) == BitConverter.SingleToUInt32Bits(actual),
                $"Code {code} is {actual:R}, but must be {expected:R}.");
        }

        Assert.Equal(Float8.Largest, PlainFloat8.Values.Where(value => !double.IsNaN(value)).Max());
        Assert.Equal(2, PlainFloat8.Values.Count(double.IsNaN));
    }

    [Fact]
    public void FromSingle_EveryCodesValue_GivesTheCodeBack()
    {
        for (int code = 0; code < 256; code++)
        {
            byte back = Float8.FromSingle(Float8.ToSingle((byte)code));

            Assert.True(code == back || (code % 128 == 127 && back % 128 == 127), $"Code {code} became {back}.");
        }
    }

    [Fact]
    public void FromSingle_AnyValue_GivesTheNearestCodeAndTheEvenOneOfTwo()
    {
        Random random = new(1);
        List<float> values =
            [0, -0f, 447, 448, 449, 464, 1e30f, -1e30f, 1e-30f, float.Epsilon, 1f / 1024, 3f / 1024, 15.5f / 1024];
        for (int code = 0; code < 0x7E; code++)
        {
            // Ties, and what lies beside them.
            float tie = (float)((PlainFloat8.Values[code] + PlainFloat8.Values[code + 1]) / 2);
            values.AddRange([tie, MathF.BitIncrement(tie), MathF.BitDecrement(tie), -tie]);
        }

        for (int i = 0; i < 2000; i++)
        {
            values.Add((float)((random.NextDouble() - 0.5) * Math.Pow(2, random.Next(-12, 11))));
        }

        foreach (float value in values)
        {
            Assert.True(
                PlainFloat8.Nearest(value) == Float8.FromSingle(value),
                $"{value:R} became code {Float8.FromSingle(value)}, but must become {PlainFloat8.Nearest(value)}.");
        }
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(5, 130)]
    [InlineData(257, 300)]
    public void Encode_AnySizes_GivesEachBlockItsScaleAndTheNearestCodes(int rows, int columns)
    {
        Random random = new(3);
        float[] values = [.. Enumerable.Range(0, rows * columns).Select(i => (float)(random.NextDouble() - 0.5) * (1 + (i % 7)))];
        for (int c = 0; c < Math.Min(columns, 128) && rows > 128; c++)
        {
            // A block of nothing but zeros.
            for (int row = 128; row < Math.Min(rows, 256); row++)
            {
                values[(row * columns) + c] = 0;
            }
        }

        int width = (columns + 127) / 128;
        byte[] codes = new byte[values.Length];
        float[] scales = new float[(rows + 127) / 128 * width];
        fixed (float* source = values, factors = scales)
        fixed (byte* target = codes)
        {
            Float8Encoder.Encode(source, rows, columns, target, factors);
        }

        float[] largest = new float[scales.Length];
        for (int i = 0; i < values.Length; i++)
        {
            ref float most = ref largest[ScaleOf(i)];
            most = Math.Max(most, Math.Abs(values[i]));
        }

        Assert.Equal(largest.Select(most => most == 0 ? 1 : most / 448), scales);
        Assert.Equal(values.Select((value, i) => PlainFloat8.Nearest(value / scales[ScaleOf(i)])), codes);

        int ScaleOf(int i) => (i / columns / 128 * width) + (i % columns / 128);
    }

    [Theory]
    [InlineData(1, 1, "tensor")]
    [InlineData(3, 17, "row")]
    [InlineData(5, 300, "row")]
    [InlineData(130, 129, "block")]
    [InlineData(257, 300, "block")]
    [InlineData(260, 64, "block")]
    [InlineData(128, 128, "block")]
    public void Read_EveryKindOfScales_GivesTheCodesValueTimesItsScale(int rows, int columns, string kind)
    {
        Random random = new(2);
        byte[] codes = new byte[rows * columns];
        random.NextBytes(codes);
        (int scaleRows, int scaleColumns) = kind switch
        {
            "tensor" => (1, 1),
            "row" => (rows, 1),
            _ => ((rows + 127) / 128, (columns + 127) / 128),
        };
        float[] scales = [.. Enumerable.Range(0, scaleRows * scaleColumns).Select(_ => (float)random.NextDouble() + 0.1f)];
        float[] actual = new float[(rows - 1) * columns];
        fixed (byte* data = codes)
        fixed (float* factors = scales, target = actual)
        {
            StoredTensor stored = new("a", DataType.Float32, new Shape(scaleRows, scaleColumns), (byte*)factors, "memory");
            StoredTensor matrix = new StoredTensor("a", DataType.Float8E4M3, new Shape(rows, columns), data, "memory")
                .WithScales(stored);
            StoredRows.Read(matrix, 1, rows - 1, target);
        }

        for (int i = 0; i < actual.Length; i++)
        {
            (int row, int column) = ((i / columns) + 1, i % columns);
            int scale = kind switch { "tensor" => 0, "row" => row, _ => (row / 128 * scaleColumns) + (column / 128) };
            float expected = (float)PlainFloat8.Values[codes[(row * columns) + column]] * scales[scale];
            Assert.Equal(expected, actual[i]);
        }
    }
}
