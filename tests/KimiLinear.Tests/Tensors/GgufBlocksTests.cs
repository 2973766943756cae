using System.Buffers.Binary;
using FsCheck;
using FsCheck.Fluent;
using KimiLinear.Tensors;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Tests.Tensors;

public sealed unsafe class GgufBlocksTests
{
    public static TheoryData<DataType> Types => new(GgufValue.Types);

    [Theory]
    [MemberData(nameof(Types))]
    public void Decode_AnyBytes_GivesTheDefinedValues(DataType type)
    {
        Gen<byte[]> blocks = Gen.Choose(1, 3).SelectMany(
            count => Gen.Choose(0, 255).Select(value => (byte)value).ArrayOf(count * type.BlockBytes()));

        Prop.ForAll(blocks.ToArbitrary(), bytes =>
        {
            float[] values = Decode(type, bytes);

            for (int i = 0; i < values.Length; i++)
            {
                ReadOnlySpan<byte> block = bytes.AsSpan(i / type.BlockLength() * type.BlockBytes(), type.BlockBytes());
                float expected = GgufValue.Of(type, block, i % type.BlockLength());
                Assert.Equal(Bits(expected), Bits(values[i]));
            }
        }).QuickCheckThrowOnFailure();
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void Decode_BlocksAtTheEndOfMemory_ReadsNoFurther(DataType type)
    {
        using GuardedMemory memory = new(2 * type.BlockBytes());
        new Span<byte>(memory.Data, 2 * type.BlockBytes()).Clear();
        float[] values = new float[2 * type.BlockLength()];
        Array.Fill(values, 7);

        fixed (float* destination = values)
        {
            GgufBlocks.Decode(type, memory.Data, values.Length, destination);
        }

        Assert.All(values, value => Assert.Equal(0, value));
    }

    [Fact]
    public void Decode_Q40_CentresCodesOnEight()
    {
        byte[] block = new byte[18];
        WriteHalf(block, 0, 0.5f);
        block[2] = 0xF0;
        block[17] = 0x38;

        float[] values = Decode(DataType.GgufQ40, block);

        // Value 0 is the low half of the first byte, value 16 its high half; 15 and 31 share the last.
        Assert.Equal((-4f, 3.5f, 0f, -2.5f), (values[0], values[16], values[15], values[31]));
    }

    [Fact]
    public void Decode_Q41_AddsTheOffset()
    {
        byte[] block = new byte[20];
        WriteHalf(block, 0, 0.5f);
        WriteHalf(block, 2, -10);
        block[4] = 0xF1;

        float[] values = Decode(DataType.GgufQ41, block);

        Assert.Equal((-9.5f, -2.5f, -10f), (values[0], values[16], values[1]));
    }

    [Fact]
    public void Decode_Q50_TakesTheFifthBitsInOrder()
    {
        byte[] block = new byte[22];
        WriteHalf(block, 0, 2);
        BinaryPrimitives.WriteUInt32LittleEndian(block.AsSpan(2), 0x8000_0002);
        block[7] = 0x03;
        block[21] = 0xF0;

        float[] values = Decode(DataType.GgufQ50, block);

        // (3 + 16 − 16) · 2, (15 + 16 − 16) · 2, (0 − 16) · 2
        Assert.Equal((6f, 30f, -32f), (values[1], values[31], values[0]));
    }

    [Fact]
    public void Decode_Q51_AddsTheOffset()
    {
        byte[] block = new byte[24];
        WriteHalf(block, 0, 2);
        WriteHalf(block, 2, 1);
        BinaryPrimitives.WriteUInt32LittleEndian(block.AsSpan(4), 0x0001_0000);
        block[8] = 0x53;

        float[] values = Decode(DataType.GgufQ51, block);

        // 2 · 3 + 1, 2 · (5 + 16) + 1
        Assert.Equal((7f, 43f, 1f), (values[0], values[16], values[1]));
    }

    [Fact]
    public void Decode_Q80_ReadsSignedCodes()
    {
        byte[] block = new byte[34];
        WriteHalf(block, 0, 0.25f);
        block[2] = 0x80;
        block[33] = 0x7F;

        float[] values = Decode(DataType.GgufQ80, block);

        Assert.Equal((-32f, 31.75f), (values[0], values[31]));
    }

    [Fact]
    public void Decode_Q4K_ScalesEachPartOfThirtyTwo()
    {
        byte[] block = new byte[144];
        WriteHalf(block, 0, 0.5f);
        WriteHalf(block, 2, 2);
        block[4] = 0b10_000011;      // scale 3 of part 0; the high bits of part 4's scale are 2
        block[8] = 0b01_000001;      // offset 1 of part 0; the high bits of part 4's offset are 1
        block[4 + 8] = 0b0101_0110;  // the low bits of part 4: scale 6, offset 5
        block[16] = 0x0C;            // value 0 of part 0
        block[16 + 64] = 0x07;       // value 0 of part 4

        float[] values = Decode(DataType.GgufQ4K, block);

        // 0.5 · 3 · 12 − 2 · 1, and 0.5 · (32 + 6) · 7 − 2 · (16 + 5)
        Assert.Equal((16f, 91f), (values[0], values[128]));
    }

    [Fact]
    public void Decode_Q5K_TakesOneBitOfEachByteForEachPart()
    {
        byte[] block = new byte[176];
        WriteHalf(block, 0, 1);
        block[4 + 1] = 2;              // scale of part 1
        block[16 + 5] = 0b0000_0010;   // the fifth bit of value 5 of part 1
        block[48 + 5] = 0x30;          // value 5 of part 1: 3

        float[] values = Decode(DataType.GgufQ5K, block);

        Assert.Equal(2 * (3 + 16), values[32 + 5]);
        Assert.Equal(0, values[5]);
    }

    [Fact]
    public void Decode_Q6K_JoinsFourAndTwoBits()
    {
        byte[] block = new byte[210];
        WriteHalf(block, 208, 0.5f);
        block[192 + 15] = 0xFE;            // scale −2 of the last 16 values
        block[64 + 63] = 0x90;             // low bits of the last value: 9
        block[128 + 63] = 0b11_00_00_00;   // its high bits: 3

        float[] values = Decode(DataType.GgufQ6K, block);

        // 0.5 · −2 · (9 + 48 − 32)
        Assert.Equal(-25, values[255]);
        Assert.Equal(32, values[254]);
    }

    private static float[] Decode(DataType type, byte[] bytes)
    {
        float[] values = new float[bytes.Length / type.BlockBytes() * type.BlockLength()];
        fixed (byte* source = bytes)
        fixed (float* destination = values)
        {
            GgufBlocks.Decode(type, source, values.Length, destination);
        }

        return values;
    }

    // All that is not a number counts as the same.
    private static uint Bits(float value) => BitConverter.SingleToUInt32Bits(float.IsNaN(value) ? float.NaN : value);

    private static void WriteHalf(byte[] block, int offset, float value) =>
        BinaryPrimitives.WriteHalfLittleEndian(block.AsSpan(offset), (Half)value);
}
