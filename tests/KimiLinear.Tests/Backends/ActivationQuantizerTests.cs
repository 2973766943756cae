using FsCheck;
using FsCheck.Fluent;
using KimiLinear.Backends;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Tests.Backends;

public sealed class ActivationQuantizerTests
{
    private const int BlockColumns = QuantizedRows.BlockColumns;

    // Below this, the library takes a block for zeros.
    private const float Negligible = 1e-30f;

    /// <summary>Every form with the largest codes it is used with.</summary>
    private static readonly (QuantizedForm Form, int MaxCode)[] Forms =
    [
        (QuantizedForm.Bytes, ActivationQuantizer.MaxByte),
        (QuantizedForm.BytePairs, ActivationQuantizer.MaxShort),
        (QuantizedForm.TileShorts, ActivationQuantizer.MaxByte),
        (QuantizedForm.TileShorts, ActivationQuantizer.MaxShort),
        (QuantizedForm.EvenOddShorts, ActivationQuantizer.MaxByte),
        (QuantizedForm.EvenOddShorts, ActivationQuantizer.MaxShort),
    ];

    public static TheoryData<string, int> Cases => [.. Forms.Select(pair => (pair.Form.ToString(), pair.MaxCode))];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Quantize_AnyRow_EqualsThePlainDefinition(string form, int maxCode)
    {
        // Numbers of any size, subnormal ones and zeros among them.
        Gen<float> value = Gen.OneOf(
            Gen.Elements(0f, -0f, 1f, -1f, float.Epsilon, -1e-40f, 1e-31f, 2e-30f, 1e20f, -3e25f),
            Gen.Choose(-1_000_000, 1_000_000).Select(i => i / 250_000f));
        Gen<float[]> rows = Gen.Choose(1, 5).SelectMany(blocks => value.ArrayOf(BlockColumns * blocks));

        Prop.ForAll(rows.ToArbitrary(), source =>
        {
            foreach (bool guardsStart in (bool[])[false, true])
            {
                using QuantizedSample sample = Quantize(source, form, maxCode, guardsStart);
                AssertIsTheDefinition(source, sample, maxCode);
            }
        }).QuickCheckThrowOnFailure();
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Quantize_LongRow_EveryCodeIsTheNearest(string form, int maxCode)
    {
        float[] source = WeightSamples.Draw("Student-t(3)", 2304);

        using QuantizedSample sample = Quantize(source, form, maxCode);

        for (int column = 0; column < source.Length; column++)
        {
            // Beside half a step, the rounding of the scale and of its reciprocal, each half an ulp of numbers up to maxCode.
            double scale = sample.Scale(0, column / BlockColumns);
            double tolerance = scale * (0.5 + (maxCode * 3 * Math.Pow(2, -24)));
            Assert.InRange(sample.Value(0, column) - source[column], -tolerance, tolerance);
            Assert.InRange(sample.Code(0, column), -maxCode, maxCode);
        }
    }

    [Fact]
    public unsafe void Quantize_Bytes_KeepsTheSumsOfItsCodes()
    {
        float[] source = WeightSamples.Draw("Student-t(3)", 2304);
        using QuantizedSample sample = Quantize(source, nameof(QuantizedForm.Bytes), ActivationQuantizer.MaxByte);
        int blocks = sample.Rows.BlockCount;
        byte* sums = sample.Rows.Codes(0) + source.Length;

        for (int block = 0; block < blocks; block++)
        {
            int sum = Enumerable.Range(block * BlockColumns, BlockColumns).Sum(column => sample.Code(0, column));
            Assert.Equal(-sum, ((float*)sums)[block]);
            Assert.Equal(-128 * sum, ((int*)sums)[blocks + block]);
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Quantize_HalvesBetweenCodes_RoundsToEven(string form, int maxCode)
    {
        float[] source = [maxCode, .. Enumerable.Range(-15, BlockColumns - 1).Select(i => i + 0.5f)];

        using QuantizedSample sample = Quantize(source, form, maxCode);

        Assert.Equal(1, sample.Scale(0, 0));
        Assert.Equal(maxCode, sample.Code(0, 0));
        for (int column = 1; column < BlockColumns; column++)
        {
            int code = sample.Code(0, column);
            Assert.Equal(0, code % 2);
            Assert.Equal(0.5f, MathF.Abs(code - source[column]));
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Quantize_EveryCode_ComesBackExactly(string form, int maxCode)
    {
        int[] codes = [.. Enumerable.Range(-maxCode, (2 * maxCode) + 1)];
        float[] source = new float[(codes.Length + BlockColumns - 3) / (BlockColumns - 2) * BlockColumns];
        for (int block = 0; block < source.Length / BlockColumns; block++)
        {
            // Both largest magnitudes, and thirty more.
            source[block * BlockColumns] = maxCode;
            source[(block * BlockColumns) + 31] = -maxCode;
            int[] some = [.. codes.Skip(block * (BlockColumns - 2)).Take(BlockColumns - 2)];
            some.Select(code => (float)code).ToArray().CopyTo(source, (block * BlockColumns) + 1);
        }

        using QuantizedSample sample = Quantize(source, form, maxCode);

        for (int column = 0; column < source.Length; column++)
        {
            Assert.Equal((int)source[column], sample.Code(0, column));
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Quantize_ZerosAndWhatIsNearlyZero_GivesZeros(string form, int maxCode)
    {
        foreach (float zero in (float[])[0, -0f, float.Epsilon, -1.1e-38f, 9.9e-31f])
        {
            float[] source = Kernels.Random(new Random(1), 3 * BlockColumns);
            source.AsSpan(BlockColumns, BlockColumns).Fill(zero);

            using QuantizedSample sample = Quantize(source, form, maxCode);

            Assert.Equal((0f, 0f), (sample.Scale(0, 1), sample.Offset(0, 1)));
            Assert.All(Enumerable.Range(BlockColumns, BlockColumns), column => Assert.Equal(0, sample.Code(0, column)));
            AssertIsTheDefinition(source, sample, maxCode);
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Quantize_NoNumberOrInfinityAnywhere_MakesTheScaleNoNumberAndLeavesOtherBlocks(string form, int maxCode)
    {
        float[] clean = Kernels.Random(new Random(2), 3 * BlockColumns);
        using QuantizedSample expected = Quantize(clean, form, maxCode);
        foreach (float wrong in (float[])[float.NaN, -float.NaN, float.PositiveInfinity, float.NegativeInfinity])
        {
            for (int place = 0; place < BlockColumns; place++)
            {
                float[] source = [.. clean];
                source[BlockColumns + place] = wrong;

                using QuantizedSample sample = Quantize(source, form, maxCode);

                Assert.False(float.IsFinite(sample.Scale(0, 1)), $"{wrong} in column {place} must leave no scale.");
                Assert.False(float.IsFinite(sample.Offset(0, 1)), $"{wrong} in column {place} must leave no offset.");
                foreach (int column in Enumerable.Range(0, source.Length).Where(column => column / BlockColumns != 1))
                {
                    Assert.Equal(expected.Value(0, column), sample.Value(0, column));
                }
            }
        }
    }

    [Fact]
    public void QuantizeRow_AnyRow_EqualsThePlainDefinition()
    {
        Gen<float> value = Gen.OneOf(
            Gen.Elements(0f, -0f, 1f, -1f, float.Epsilon, -1e-40f, 1e-31f, 2e-30f, 1e20f, -3e25f),
            Gen.Choose(-1_000_000, 1_000_000).Select(i => i / 250_000f));
        Gen<float[]> rows = Gen.Choose(1, 5).SelectMany(blocks => value.ArrayOf(BlockColumns * blocks));

        Prop.ForAll(rows.ToArbitrary(), source =>
        {
            foreach (bool guardsStart in (bool[])[false, true])
            {
                using QuantizedSample sample = QuantizeRow(source, guardsStart);
                AssertIsTheDefinitionOfARow(source, sample);
            }
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void QuantizeRow_LongRow_EveryCodeIsTheNearest()
    {
        const int MaxCode = ActivationQuantizer.MaxRowShort;
        float[] source = WeightSamples.Draw("Student-t(3)", 2304);

        using QuantizedSample sample = QuantizeRow(source);

        for (int column = 0; column < source.Length; column++)
        {
            double tolerance = sample.RowScale(0) * (0.5 + (MaxCode * 3 * Math.Pow(2, -24)));
            Assert.InRange(sample.Value(0, column) - source[column], -tolerance, tolerance);
            Assert.InRange(sample.Code(0, column), -MaxCode, MaxCode);
        }
    }

    [Fact]
    public void QuantizeRow_NoNumberOrInfinityAnywhere_MakesTheScaleNoNumber()
    {
        foreach (float wrong in (float[])[float.NaN, -float.NaN, float.PositiveInfinity, float.NegativeInfinity])
        {
            for (int place = 0; place < 2 * BlockColumns; place++)
            {
                float[] source = Kernels.Random(new Random(2), 2 * BlockColumns);
                source[place] = wrong;

                using QuantizedSample sample = QuantizeRow(source);

                Assert.False(float.IsFinite(sample.RowScale(0)), $"{wrong} in column {place} must leave no scale.");
            }
        }
    }

    [Fact]
    public void Stride_AnyLength_HoldsTheRowAndKeepsAlignment()
    {
        foreach (int blocks in Enumerable.Range(1, 100))
        {
            long stride = QuantizedRows.Stride(blocks * BlockColumns);

            Assert.Equal(0, stride % 64);
            Assert.InRange(stride, blocks * (64 + 8), (blocks * (64 + 8)) + 63);
        }
    }

    private static QuantizedSample Quantize(float[] row, string form, int maxCode, bool guardsStart = false) =>
        new(row, row.Length, Enum.Parse<QuantizedForm>(form), maxCode, guardsStart);

    private static QuantizedSample QuantizeRow(float[] row, bool guardsStart = false) =>
        new(row, row.Length, QuantizedForm.RowShorts, ActivationQuantizer.MaxRowShort, guardsStart);

    private static void AssertIsTheDefinitionOfARow(float[] source, QuantizedSample sample)
    {
        const int MaxCode = ActivationQuantizer.MaxRowShort;
        float largest = source.Max(MathF.Abs);
        bool counts = largest >= Negligible;
        Assert.Equal(counts ? largest / MaxCode : 0, sample.RowScale(0));
        for (int column = 0; column < source.Length; column++)
        {
            int code = counts ? (int)MathF.Round(source[column] * (MaxCode / largest), MidpointRounding.ToEven) : 0;
            Assert.Equal(code, sample.Code(0, column));
            Assert.Equal(1, sample.Scale(0, column / BlockColumns));
        }
    }

    private static void AssertIsTheDefinition(float[] source, QuantizedSample sample, int maxCode)
    {
        for (int block = 0; block < source.Length / BlockColumns; block++)
        {
            ReadOnlySpan<float> values = source.AsSpan(block * BlockColumns, BlockColumns);
            float largest = 0;
            foreach (float value in values)
            {
                largest = MathF.Max(largest, MathF.Abs(value));
            }

            bool counts = largest >= Negligible;
            int sum = 0;
            for (int i = 0; i < BlockColumns; i++)
            {
                int code = counts ? (int)MathF.Round(values[i] * (maxCode / largest), MidpointRounding.ToEven) : 0;
                Assert.Equal(code, sample.Code(0, (block * BlockColumns) + i));
                sum += code;
            }

            float scale = counts ? largest / maxCode : 0;
            Assert.Equal(scale, sample.Scale(0, block));
            Assert.Equal(-scale * sum, sample.Offset(0, block));
        }
    }
}
