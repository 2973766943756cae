using System.Security.Cryptography;
using FsCheck;
using FsCheck.Fluent;
using KimiLinear.Tensors;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Tests.Tensors;

/// <summary>What holds for both packed formats.</summary>
public sealed class PackedEncoderTests
{
    private const int Rows = PackedLayout.TileRows;

    public static TheoryData<DataType> Types { get; } = new(DataType.PackedQ4, DataType.PackedQ8);

    [Theory]
    [MemberData(nameof(Types))]
    public void Encode_AnyRows_ChoosesTheNearestCodeOrTheEndOfTheRange(DataType type)
    {
        Gen<float> values = Gen.OneOf(
            Gen.Choose(-1000, 1000).Select(i => i / 997f),
            Gen.Choose(-100, 100).Select(i => i * 1e-6f),
            Gen.Choose(0, 20).Select(i => i * 0.75f),
            Gen.Constant(0f));
        Gen<float[]> rows = Gen.Choose(1, 5).SelectMany(blocks => values.ArrayOf(Rows * 32 * blocks));

        Prop.ForAll(rows.ToArbitrary(), AllNearest).QuickCheckThrowOnFailure();

        bool AllNearest(float[] source)
        {
            PackedTile tile = PackedTile.Encode(type, source);
            for (int i = 0; i < source.Length; i++)
            {
                (int row, int block) = (i / tile.Columns, i % tile.Columns / 32);
                float reachable = Math.Clamp(source[i], tile.Lowest(row, block), tile.Highest(row, block));

                // Half a step, and what float32 leaves open.
                float allowed = (tile.Step(row, block) * 0.50001f) + (MathF.Abs(source[i]) * 1e-5f);
                if (!(MathF.Abs(tile.Values[i] - reachable) <= allowed))
                {
                    return false;
                }
            }

            return true;
        }
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void Encode_AnyRows_WritesEveryByteAndOnlyByTheValues(DataType type)
    {
        Gen<float[]> rows = Gen.Choose(1, 4).SelectMany(
            blocks => Gen.Choose(-50, 50).Select(i => i / 8f).ArrayOf(Rows * 32 * blocks));

        Prop.ForAll(rows.ToArbitrary(), source =>
        {
            PackedTile once = PackedTile.Encode(type, source, before: 0x00);
            PackedTile again = PackedTile.Encode(type, source, before: 0xFF);
            return once.Bytes.SequenceEqual(again.Bytes);
        }).QuickCheckThrowOnFailure();
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void Encode_RowsScaledByAPowerOfTwo_GivesTheSameCodes(DataType type)
    {
        float[] rows = WeightSamples.Draw("Gaussian", Rows * 96);
        float[] expected = PackedTile.Encode(type, rows).Values;

        foreach (int power in new[] { -60, -1, 7, 99 })
        {
            float[] scaled = [.. rows.Select(value => MathF.ScaleB(value, power))];

            PackedTile tile = PackedTile.Encode(type, scaled);

            TensorAssert.Identical(tile.Values, [.. expected.Select(value => MathF.ScaleB(value, power))], $"2^{power}");
        }
    }

    [Theory]
    [InlineData(-0.1f)]
    [InlineData(0)]
    [InlineData(0.003f)]
    [InlineData(0.1f)]
    public void Encode_Q4AroundAnyMean_StoresEvenZeroPoints(float mean)
    {
        const int Columns = 224;
        float[] rows = [.. WeightSamples.Draw("Gaussian", Rows * Columns).Select(value => value + mean)];

        PackedTile tile = PackedTile.Encode(DataType.PackedQ4, rows);

        for (int block = 0; block < Columns / PackedLayout.BlockColumns; block++)
        {
            byte[] zeros = tile.Bytes[(tile.Header(block) + Rows)..(tile.Header(block) + (2 * Rows))];
            Assert.DoesNotContain(zeros, zero => zero % PackedLayout.ZeroMultiple != 0);
        }
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void Encode_Zeros_GivesBytesOfZero(DataType type)
    {
        foreach (float zero in new[] { 0f, -0f, float.Epsilon, -1e-40f, 7.8e-31f })
        {
            float[] rows = new float[Rows * 96];
            rows.AsSpan().Fill(zero);

            PackedTile tile = PackedTile.Encode(type, rows);

            Assert.DoesNotContain(tile.Bytes, value => value != 0);
        }
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void Encode_BlockOfZerosAmongOthers_ReadsBackAsZeros(DataType type)
    {
        float[] rows = WeightSamples.Draw("Gaussian", Rows * 96);
        for (int row = 0; row < Rows; row++)
        {
            rows.AsSpan((row * 96) + 32, 32).Clear();
        }

        PackedTile tile = PackedTile.Encode(type, rows);

        for (int row = 0; row < Rows; row++)
        {
            Assert.Equal(0, tile.Step(row, 1));
            Assert.DoesNotContain(tile.Values.AsSpan((row * 96) + 32, 32).ToArray(), value => value != 0);
        }
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void Encode_OneValueThroughout_ReadsBackCloseToIt(DataType type)
    {
        foreach (float value in new[] { 1f, -1f, 0.3f, -2.7e-5f, 1e30f, -1e-30f })
        {
            float[] rows = new float[Rows * 64];
            rows.AsSpan().Fill(value);

            PackedTile tile = PackedTile.Encode(type, rows);

            Assert.All(tile.Values, read => Assert.InRange(read / value, 0.996f, 1.004f));
        }
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void Encode_EveryBlockItsOwnConstant_ReadsBackCloseToIt(DataType type)
    {
        float[] rows = new float[Rows * 256];
        for (int i = 0; i < rows.Length; i++)
        {
            rows[i] = (i / 32 % 8) - 3.5f;
        }

        PackedTile tile = PackedTile.Encode(type, rows);

        Assert.All(Enumerable.Range(0, rows.Length), i => Assert.InRange(tile.Values[i] / rows[i], 0.99f, 1.01f));
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void Encode_TinyBlockBesideALargeOne_StaysFiniteAndSmall(DataType type)
    {
        foreach (float tiny in new[] { 1e-3f, 1e-10f, 1e-20f, 1e-30f, 1e-44f })
        {
            float[] rows = WeightSamples.Draw("Gaussian", Rows * 64);
            for (int row = 0; row < Rows; row++)
            {
                for (int k = 0; k < 32; k++)
                {
                    rows[(row * 64) + k] *= tiny;
                }
            }

            PackedTile tile = PackedTile.Encode(type, rows);

            for (int i = 0; i < rows.Length; i++)
            {
                Assert.True(MathF.Abs(tile.Values[i] - rows[i]) <= 0.05f, $"{rows[i]} became {tile.Values[i]}.");
                Assert.True(i % 64 >= 32 || MathF.Abs(tile.Values[i]) <= 2e-3f, $"{rows[i]} became {tile.Values[i]}.");
            }
        }
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void Encode_LargestMagnitudesAllowed_StaysFinite(DataType type)
    {
        float largest = MathF.BitDecrement(PackedValues.Limit);
        float[] rows = [.. Enumerable.Range(0, Rows * 64).Select(i => i % 3 == 0 ? largest : i % 3 == 1 ? -largest : 1e-38f)];

        PackedTile tile = PackedTile.Encode(type, rows);

        Assert.All(Enumerable.Range(0, rows.Length), i => Assert.True(MathF.Abs(tile.Values[i] - rows[i]) <= 0.04f * largest));
    }

    // The input needs nothing but integers, so the bytes must be these on every machine and vector width.
    [Theory]
    [InlineData(DataType.PackedQ4, "caa820ea80a9a2e4e8174d0a93e7fbbf02878709b8843faf37cdfc7fad17aa5d")]
    [InlineData(DataType.PackedQ8, "a5702abf7d31044c6a0f49278b11067f163e74c9e4dcc666716923d89f2dbe54")]
    public void Encode_KnownRows_GivesTheSameBytesOnEveryMachine(DataType type, string sha256)
    {
        float[] rows = new float[Rows * 224];
        uint state = 12345;
        for (int i = 0; i < rows.Length; i++)
        {
            int sum = 0;
            for (int j = 0; j < 4; j++)
            {
                state = (state * 1664525) + 1013904223;
                sum += (int)(state >> 16);
            }

            rows[i] = (sum - 131072) / 65536f;
        }

        byte[] bytes = PackedTile.Encode(type, rows).Bytes;

        string actual = Convert.ToHexStringLower(SHA256.HashData(bytes));
        Assert.True(actual == sha256, actual);
    }
}
