using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using KimiLinear.Tensors;

namespace KimiLinear.Model;

/// <summary>Fills stored tensors with random weights of a given spread, straight in the type they are stored in.</summary>
internal static unsafe class RandomValues
{
    // Standard deviation of a uniform distribution, as a part of its half width.
    private const float UniformDeviation = 0.57735027f;

    // Code 0 to 15 around a zero point of 7.5, give or take one: their standard deviation in steps of the code.
    private const float Q4Deviation = 4.646f;

    // Scales lie in 32 steps around 128, zero points, in sixteenths and even, in 16 steps around 120: 120 / 16 is the middle of the
    // codes.
    private const uint Q4ScaleSpread = 0x1F1F1F1F;
    private const uint Q4ZeroSpread = 0x1E1E1E1E;
    private const uint Q4LowestScales = 112 * 0x01010101u;
    private const uint Q4LowestZeros = 104 * 0x01010101u;
    private const float Q4MiddleScale = 127.5f;

    // Codes from -127 to 127.
    private const float Q8Deviation = 73.6f;

    // The lowest three bits of a bfloat16 are 1 to 6 percent of it.
    private const uint Q8ScaleSpread = 0x00070007;

    // Magnitudes with the exponents 6 and 7 before the bias, 1/2 to 15/8, all mantissas and signs: the root of their mean square.
    private const byte Float8Exponent = 0x30;
    private const byte Float8Spread = 0x8F;
    private const float Float8Deviation = 1.1588f;

    // Values of bfloat16 that one stream makes.
    private const int ChunkValues = 1 << 14;

    /// <summary>Pieces of a tensor that can be filled by themselves.</summary>
    public static long PieceCount(StoredTensor tensor) => PackedLayout.IsPacked(tensor.DataType)
        ? tensor.Shape[0] / PackedLayout.TileRows
        : (tensor.Shape.ElementCount + ChunkValues - 1) / ChunkValues;

    /// <summary>Fills one piece of a tensor with values around a mean.</summary>
    public static void FillPiece(StoredTensor tensor, long piece, float mean, float deviation, ulong seed)
    {
        RandomStream random = new(seed);
        switch (tensor.DataType)
        {
            case DataType.PackedQ4:
                FillQ4Tile(Tile(tensor, piece), tensor.Shape[1], deviation, random);
                break;
            case DataType.PackedQ8:
                FillQ8Tile(Tile(tensor, piece), tensor.Shape[1], deviation, random);
                break;
            case DataType.Float8E4M3:
                FillFloat8(tensor, piece, deviation, random);
                break;
            default:
                Debug.Assert(tensor.DataType == DataType.BFloat16, "Random weights are packed, 8-bit floats or bfloat16.");
                long first = piece * ChunkValues;
                long count = Math.Min(ChunkValues, tensor.Shape.ElementCount - first);
                FillBFloat16((ushort*)tensor.Data + first, (int)count, mean, deviation, random);
                break;
        }
    }

    private static byte* Tile(StoredTensor tensor, long tile) =>
        tensor.Data + (tile * PackedLayout.TileBytes(tensor.DataType, tensor.Shape[1]));

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void FillQ4Tile(byte* tile, long columns, float deviation, RandomStream random)
    {
        float* rowScales = (float*)tile;
        for (int row = 0; row < PackedLayout.TileRows; row++)
        {
            rowScales[row] = deviation / (Q4Deviation * Q4MiddleScale);
        }

        long length = PackedLayout.TileBytes(DataType.PackedQ4, columns);
        for (long at = PackedLayout.RowScaleBytes; at < length; at += Vector256<byte>.Count)
        {
            random.Next().Store((uint*)(tile + at));
        }

        for (long block = 0; block < columns / PackedLayout.BlockColumns; block += 2)
        {
            uint* header = (uint*)(tile + PackedLayout.HeaderOffset(DataType.PackedQ4, block));
            var spread = Vector256.Create(Vector128.Create(Q4ScaleSpread), Vector128.Create(Q4ZeroSpread));
            var lowest = Vector256.Create(Vector128.Create(Q4LowestScales), Vector128.Create(Q4LowestZeros));
            for (int half = 0; half < 2; half++, header += Vector256<uint>.Count)
            {
                ((Vector256.Load(header) & spread) + lowest).Store(header);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void FillQ8Tile(byte* tile, long columns, float deviation, RandomStream random)
    {
        var lowestCode = Vector256.Create((sbyte)-127);
        long length = PackedLayout.TileBytes(DataType.PackedQ8, columns);
        for (long at = 0; at < length; at += Vector256<byte>.Count)
        {
            Vector256.Max(random.Next().AsSByte(), lowestCode).Store((sbyte*)(tile + at));
        }

        uint scale = BitConverter.SingleToUInt32Bits(deviation / Q8Deviation) >> 16 & 0xFFF8;
        for (long block = 0; block < columns / PackedLayout.BlockColumns; block += 2)
        {
            uint* header = (uint*)(tile + PackedLayout.HeaderOffset(DataType.PackedQ8, block));
            for (int half = 0; half < 2; half++, header += Vector256<uint>.Count)
            {
                ((Vector256.Load(header) & Vector256.Create(Q8ScaleSpread)) | Vector256.Create(scale | (scale << 16)))
                    .Store(header);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void FillFloat8(StoredTensor tensor, long piece, float deviation, RandomStream random)
    {
        if (piece == 0)
        {
            new Span<float>(tensor.Scales!.Data, (int)tensor.Scales.Shape.ElementCount).Fill(deviation / Float8Deviation);
        }

        long first = piece * ChunkValues;
        int count = (int)Math.Min(ChunkValues, tensor.Shape.ElementCount - first);
        byte* codes = tensor.Data + first;
        int i = 0;
        for (; i + Vector256<byte>.Count <= count; i += Vector256<byte>.Count)
        {
            Next().Store(codes + i);
        }

        Vector256<byte> rest = Next();
        for (int lane = 0; i < count; i++, lane++)
        {
            codes[i] = rest[lane];
        }

        Vector256<byte> Next() =>
            (random.Next().AsByte() & Vector256.Create(Float8Spread)) | Vector256.Create(Float8Exponent);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void FillBFloat16(ushort* values, int count, float mean, float deviation, RandomStream random)
    {
        // A word, read as a signed number, is uniform in ±2³¹.
        var factor = Vector256.Create(deviation / UniformDeviation / int.MaxValue);
        var offset = Vector256.Create(mean);
        int i = 0;
        for (; i + Vector256<ushort>.Count <= count; i += Vector256<ushort>.Count)
        {
            Next().Store(values + i);
        }

        if (i < count)
        {
            ushort* rest = stackalloc ushort[Vector256<ushort>.Count];
            Next().Store(rest);
            new ReadOnlySpan<ushort>(rest, count - i).CopyTo(new Span<ushort>(values + i, count - i));
        }

        Vector256<ushort> Next() => Vector256.Narrow(Upper(random.Next()), Upper(random.Next()));

        Vector256<uint> Upper(Vector256<uint> word) =>
            ((Vector256.ConvertToSingle(word.AsInt32()) * factor) + offset).AsUInt32() >>> 16;
    }
}
