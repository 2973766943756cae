using System.Runtime.CompilerServices;
using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary>Products of a few rows of activations with <see cref="DataType.PackedQ8"/> tiles, read where they lie.</summary>
/// <remarks>
/// y = Σ_blocks scale · (x_scale · Σ code · x_code), the same operations in the same order for any number of rows.
/// Activations are <see cref="QuantizedForm.TileShorts"/>.
/// </remarks>
internal static unsafe class PackedQ8Kernel<TSimd, TVector, TIntegers, TInteger>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
    where TIntegers : struct, IIntegerSimd<TInteger, TVector>
    where TInteger : struct
{
    private const int PairBytes = PackedLayout.HeaderBytes + (2 * PackedLayout.Q8BlockBytes);
    private const int SecondHeader = PackedLayout.HeaderBytes / 2;
    private const int ChunkBytes = 64;
    private const int ChunkCount = PackedLayout.Q8BlockBytes / ChunkBytes;

    /// <summary>Some lanes of a tile by one row.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static TVector One(byte* tile, int lane, byte* x, int blockCount)
    {
        float* scale = (float*)(x + (2L * blockCount * QuantizedRows.BlockColumns));
        TVector sum = TSimd.Zero;
        for (int block = 0; block < blockCount; block++)
        {
            byte* header = tile + ((block >> 1) * PairBytes);
            byte* codes = header + PackedLayout.HeaderBytes + ((block & 1) * PackedLayout.Q8BlockBytes) + (4 * lane);
            CacheLine.PrefetchPath(codes);
            header += ((block & 1) * SecondHeader) + (2 * lane);
            TInteger even = TIntegers.Zero;
            TInteger odd = TIntegers.Zero;
            AddChunk(codes, x, 0, ref even, ref odd);
            AddChunk(codes, x, 1, ref even, ref odd);
            AddChunk(codes, x, 2, ref even, ref odd);
            AddChunk(codes, x, 3, ref even, ref odd);
            AddChunk(codes, x, 4, ref even, ref odd);
            AddChunk(codes, x, 5, ref even, ref odd);
            AddChunk(codes, x, 6, ref even, ref odd);
            AddChunk(codes, x, 7, ref even, ref odd);
            x += 2 * QuantizedRows.BlockColumns;
            sum = AddScaled(TIntegers.Add(even, odd), header, scale + block, sum);
        }

        return sum;
    }

    /// <summary>Two neighbouring vectors of a tile by one row, each as <see cref="One"/> would.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Two(byte* tile, int lane, byte* x, int blockCount, float* output)
    {
        float* scale = (float*)(x + (2L * blockCount * QuantizedRows.BlockColumns));
        TVector first = TSimd.Zero;
        TVector second = TSimd.Zero;
        for (int block = 0; block < blockCount; block++)
        {
            byte* header = tile + ((block >> 1) * PairBytes);
            byte* codes = header + PackedLayout.HeaderBytes + ((block & 1) * PackedLayout.Q8BlockBytes) + (4 * lane);
            CacheLine.PrefetchPath(codes);
            header += ((block & 1) * SecondHeader) + (2 * lane);
            TInteger even0 = TIntegers.Zero, even1 = TIntegers.Zero;
            TInteger odd0 = TIntegers.Zero, odd1 = TIntegers.Zero;
            for (int chunk = 0; chunk < ChunkCount; chunk++, x += 8)
            {
                TInteger bytes0 = TIntegers.Load(codes + (chunk * ChunkBytes));
                TInteger bytes1 = TIntegers.Load(codes + (chunk * ChunkBytes) + (TIntegers.Lanes * sizeof(int)));
                CacheLine.PrefetchStream(codes + (chunk * ChunkBytes));
                TInteger values = TIntegers.Broadcast(x);
                even0 = TIntegers.AddShorts(even0, TIntegers.EvenBytes(bytes0), values);
                even1 = TIntegers.AddShorts(even1, TIntegers.EvenBytes(bytes1), values);
                values = TIntegers.Broadcast(x + 4);
                odd0 = TIntegers.AddShorts(odd0, TIntegers.OddBytes(bytes0), values);
                odd1 = TIntegers.AddShorts(odd1, TIntegers.OddBytes(bytes1), values);
            }

            first = AddScaled(TIntegers.Add(even0, odd0), header, scale + block, first);
            header += TIntegers.Lanes * sizeof(ushort);
            second = AddScaled(TIntegers.Add(even1, odd1), header, scale + block, second);
        }

        TSimd.Store(output, first);
        TSimd.Store(output + TSimd.Width, second);
    }

    /// <summary>Some lanes of a tile by four rows; the sums of row i are stored at i · <paramref name="stride"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Four(
        byte* tile, int lane, byte* x0, byte* x1, byte* x2, byte* x3, int blockCount, float* output, int stride)
    {
        long statistics = 2L * blockCount * QuantizedRows.BlockColumns;
        TVector s0 = TSimd.Zero, s1 = TSimd.Zero, s2 = TSimd.Zero, s3 = TSimd.Zero;
        long offset = 0;
        for (int block = 0; block < blockCount; block++, statistics += sizeof(float))
        {
            byte* header = tile + ((block >> 1) * PairBytes);
            byte* codes = header + PackedLayout.HeaderBytes + ((block & 1) * PackedLayout.Q8BlockBytes) + (4 * lane);
            header += ((block & 1) * SecondHeader) + (2 * lane);
            TInteger t0 = TIntegers.Zero, t1 = TIntegers.Zero, t2 = TIntegers.Zero, t3 = TIntegers.Zero;
            for (int chunk = 0; chunk < ChunkCount; chunk++, offset += 8)
            {
                TInteger bytes = TIntegers.Load(codes + (chunk * ChunkBytes));
                TInteger w = TIntegers.EvenBytes(bytes);
                t0 = TIntegers.AddShorts(t0, w, TIntegers.Broadcast(x0 + offset));
                t1 = TIntegers.AddShorts(t1, w, TIntegers.Broadcast(x1 + offset));
                t2 = TIntegers.AddShorts(t2, w, TIntegers.Broadcast(x2 + offset));
                t3 = TIntegers.AddShorts(t3, w, TIntegers.Broadcast(x3 + offset));
                w = TIntegers.OddBytes(bytes);
                t0 = TIntegers.AddShorts(t0, w, TIntegers.Broadcast(x0 + offset + 4));
                t1 = TIntegers.AddShorts(t1, w, TIntegers.Broadcast(x1 + offset + 4));
                t2 = TIntegers.AddShorts(t2, w, TIntegers.Broadcast(x2 + offset + 4));
                t3 = TIntegers.AddShorts(t3, w, TIntegers.Broadcast(x3 + offset + 4));
            }

            s0 = AddScaled(t0, header, (float*)(x0 + statistics), s0);
            s1 = AddScaled(t1, header, (float*)(x1 + statistics), s1);
            s2 = AddScaled(t2, header, (float*)(x2 + statistics), s2);
            s3 = AddScaled(t3, header, (float*)(x3 + statistics), s3);
        }

        TSimd.Store(output, s0);
        TSimd.Store(output + stride, s1);
        TSimd.Store(output + (2 * stride), s2);
        TSimd.Store(output + (3 * stride), s3);
    }

    // Written out eight times where memory is what counts: a loop of its own reads from cache a quarter slower. The number of the
    // chunk is a constant there, so that its places are part of the instructions.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddChunk(byte* codes, byte* x, int chunk, ref TInteger even, ref TInteger odd)
    {
        TInteger bytes = TIntegers.Load(codes + (chunk * ChunkBytes));
        CacheLine.PrefetchStream(codes + (chunk * ChunkBytes));
        even = TIntegers.AddShorts(even, TIntegers.EvenBytes(bytes), TIntegers.Broadcast(x + (chunk * 8)));
        odd = TIntegers.AddShorts(odd, TIntegers.OddBytes(bytes), TIntegers.Broadcast(x + ((chunk * 8) + 4)));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector AddScaled(TInteger total, byte* header, float* scale, TVector sum) => TSimd.MultiplyAdd(
        TSimd.LoadBFloat16((ushort*)header),
        TSimd.Multiply(TIntegers.ToFloat(total), TSimd.Broadcast(scale[0])),
        sum);
}
