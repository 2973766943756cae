using System.Runtime.CompilerServices;
using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary>Products of a few rows of activations with <see cref="DataType.PackedQ4"/> tiles, read where they lie.</summary>
/// <remarks>
/// y = Σ_blocks x_scale · (scale · Σ code · x_code) + Z · x_offset with Z = scale · zero, times the row's scale at the end; what is in
/// brackets is an exact integer. With one plane it is Σ_blocks x_scale · ((scale · Σ code · x_code) − Z · Σ x_code), whose difference
/// is rounded once where machines multiply and add in one: the same number as that of <see cref="VnniPanel"/>, which takes the zero
/// point off the codes. The same operations in the same order for any number of rows, so that results are the same to the last bit.
/// </remarks>
internal static unsafe class PackedQ4Kernel<TSimd, TVector, TIntegers, TInteger>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
    where TIntegers : struct, IIntegerSimd<TInteger, TVector>
    where TInteger : struct
{
    private const int PairBytes = PackedLayout.HeaderBytes + (2 * PackedLayout.Q4BlockBytes);
    private const int SecondHeader = PackedLayout.HeaderBytes / 2;
    private const int SecondCodes = PackedLayout.HeaderBytes + PackedLayout.Q4BlockBytes;
    private const int ChunkBytes = 64;

    /// <summary>Some lanes of a tile by one row.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static TVector One<TPlanes>(byte* tile, int lane, byte* x, int blockCount)
        where TPlanes : struct, IPlanes
    {
        byte* low = x + (blockCount * QuantizedRows.BlockColumns);
        float* scale = (float*)(low + (blockCount * QuantizedRows.BlockColumns));
        byte* pair = tile + PackedLayout.RowScaleBytes + lane;
        TVector sum = TSimd.Zero;
        int block = 0;
        for (; block + 2 <= blockCount; block += 2)
        {
            CacheLine.PrefetchStream(pair);
            CacheLine.PrefetchPath(pair);
            sum = AddBlock<TPlanes>(pair, pair + PackedLayout.HeaderBytes + (3 * lane), x, low, scale, blockCount, sum);
            x += QuantizedRows.BlockColumns;
            low += QuantizedRows.BlockColumns;
            scale++;
            sum = AddBlock<TPlanes>(pair + SecondHeader, pair + SecondCodes + (3 * lane), x, low, scale, blockCount, sum);
            x += QuantizedRows.BlockColumns;
            low += QuantizedRows.BlockColumns;
            scale++;
            pair += PairBytes;
        }

        if (block < blockCount)
        {
            sum = AddBlock<TPlanes>(pair, pair + PackedLayout.HeaderBytes + (3 * lane), x, low, scale, blockCount, sum);
        }

        return TSimd.Multiply(sum, TSimd.Load((float*)tile + lane));
    }

    /// <summary>Two neighbouring vectors of a tile by one row, each as <see cref="One"/> would.</summary>
    /// <remarks>A vector of its own, half a tile reads half of every line of memory, and the other half of the tile all lines again.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Two<TPlanes>(byte* tile, int lane, byte* x, int blockCount, float* output)
        where TPlanes : struct, IPlanes
    {
        byte* low = x + (blockCount * QuantizedRows.BlockColumns);
        float* scale = (float*)(low + (blockCount * QuantizedRows.BlockColumns));
        byte* pair = tile + PackedLayout.RowScaleBytes + lane;
        TVector first = TSimd.Zero;
        TVector second = TSimd.Zero;
        for (int block = 0; block < blockCount; block++)
        {
            byte* header = pair + ((block & 1) * SecondHeader);
            CacheLine.PrefetchStream(header);
            CacheLine.PrefetchPath(header);
            byte* codes = pair + PackedLayout.HeaderBytes + (3 * lane) + ((block & 1) * PackedLayout.Q4BlockBytes);
            AddBlock<TPlanes>(header, codes, x, low, scale, blockCount, ref first, ref second);
            x += QuantizedRows.BlockColumns;
            low += QuantizedRows.BlockColumns;
            scale++;
            pair += (block & 1) * PairBytes;
        }

        float* rowScales = (float*)tile + lane;
        TSimd.Store(output, TSimd.Multiply(first, TSimd.Load(rowScales)));
        TSimd.Store(output + TSimd.Width, TSimd.Multiply(second, TSimd.Load(rowScales + TSimd.Width)));
    }

    /// <summary>Some lanes of a tile by four rows; the sums of row i are stored at i · <paramref name="stride"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Four<TPlanes>(
        byte* tile, int lane, byte* x0, byte* x1, byte* x2, byte* x3, int blockCount, float* output, int stride)
        where TPlanes : struct, IPlanes
    {
        long columns = blockCount * QuantizedRows.BlockColumns;
        TVector s0 = TSimd.Zero, s1 = TSimd.Zero, s2 = TSimd.Zero, s3 = TSimd.Zero;
        for (int block = 0; block < blockCount; block++)
        {
            byte* header = tile + lane + PackedLayout.RowScaleBytes + ((block >> 1) * PairBytes);
            byte* codes = header + (3 * lane) + PackedLayout.HeaderBytes + ((block & 1) * PackedLayout.Q4BlockBytes);
            header += (block & 1) * SecondHeader;
            TInteger h0 = TIntegers.Zero, h1 = TIntegers.Zero, h2 = TIntegers.Zero, h3 = TIntegers.Zero;
            TInteger l0 = TIntegers.Zero, l1 = TIntegers.Zero, l2 = TIntegers.Zero, l3 = TIntegers.Zero;
            long offset = block * QuantizedRows.BlockColumns;
            for (int chunk = 0; chunk < 4; chunk++, offset += 8)
            {
                TInteger bytes = TIntegers.Load(codes + (chunk * ChunkBytes));
                TInteger w = TIntegers.LowNibbles(bytes);
                h0 = TIntegers.AddBytes(h0, w, TIntegers.Broadcast(x0 + offset));
                h1 = TIntegers.AddBytes(h1, w, TIntegers.Broadcast(x1 + offset));
                h2 = TIntegers.AddBytes(h2, w, TIntegers.Broadcast(x2 + offset));
                h3 = TIntegers.AddBytes(h3, w, TIntegers.Broadcast(x3 + offset));
                if (TPlanes.HasLowPlane)
                {
                    l0 = TIntegers.AddBytes(l0, w, TIntegers.Broadcast(x0 + offset + columns));
                    l1 = TIntegers.AddBytes(l1, w, TIntegers.Broadcast(x1 + offset + columns));
                    l2 = TIntegers.AddBytes(l2, w, TIntegers.Broadcast(x2 + offset + columns));
                    l3 = TIntegers.AddBytes(l3, w, TIntegers.Broadcast(x3 + offset + columns));
                }

                w = TIntegers.HighNibbles(bytes);
                h0 = TIntegers.AddBytes(h0, w, TIntegers.Broadcast(x0 + offset + 4));
                h1 = TIntegers.AddBytes(h1, w, TIntegers.Broadcast(x1 + offset + 4));
                h2 = TIntegers.AddBytes(h2, w, TIntegers.Broadcast(x2 + offset + 4));
                h3 = TIntegers.AddBytes(h3, w, TIntegers.Broadcast(x3 + offset + 4));
                if (TPlanes.HasLowPlane)
                {
                    l0 = TIntegers.AddBytes(l0, w, TIntegers.Broadcast(x0 + offset + 4 + columns));
                    l1 = TIntegers.AddBytes(l1, w, TIntegers.Broadcast(x1 + offset + 4 + columns));
                    l2 = TIntegers.AddBytes(l2, w, TIntegers.Broadcast(x2 + offset + 4 + columns));
                    l3 = TIntegers.AddBytes(l3, w, TIntegers.Broadcast(x3 + offset + 4 + columns));
                }
            }

            TInteger a = TIntegers.LoadBytesAsPairs(header);
            TVector z = Zeros(header, a);
            long statistics = (2 * columns) + (block * sizeof(float));
            s0 = AddScaled<TPlanes>(h0, l0, a, z, (float*)(x0 + statistics), blockCount, s0);
            s1 = AddScaled<TPlanes>(h1, l1, a, z, (float*)(x1 + statistics), blockCount, s1);
            s2 = AddScaled<TPlanes>(h2, l2, a, z, (float*)(x2 + statistics), blockCount, s2);
            s3 = AddScaled<TPlanes>(h3, l3, a, z, (float*)(x3 + statistics), blockCount, s3);
        }

        TVector rowScale = TSimd.Load((float*)tile + lane);
        TSimd.Store(output, TSimd.Multiply(s0, rowScale));
        TSimd.Store(output + stride, TSimd.Multiply(s1, rowScale));
        TSimd.Store(output + (2 * stride), TSimd.Multiply(s2, rowScale));
        TSimd.Store(output + (3 * stride), TSimd.Multiply(s3, rowScale));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector AddBlock<TPlanes>(
        byte* header, byte* codes, byte* high, byte* low, float* scale, int blockCount, TVector sum)
        where TPlanes : struct, IPlanes
    {
        TInteger h = TIntegers.Zero;
        TInteger l = TIntegers.Zero;
        AddChunk<TPlanes>(codes, high, low, 0, ref h, ref l);
        AddChunk<TPlanes>(codes, high, low, 1, ref h, ref l);
        AddChunk<TPlanes>(codes, high, low, 2, ref h, ref l);
        AddChunk<TPlanes>(codes, high, low, 3, ref h, ref l);
        TInteger a = TIntegers.LoadBytesAsPairs(header);
        return AddScaled<TPlanes>(h, l, a, Zeros(header, a), scale, blockCount, sum);
    }

    // Pages end the processor's own prefetching, and a whole pair is used in less time than memory takes: what comes is asked for.
    // The number of the chunk is a constant wherever this is inlined, so that its places are part of the instructions.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddChunk<TPlanes>(byte* codes, byte* high, byte* low, int chunk, ref TInteger h, ref TInteger l)
        where TPlanes : struct, IPlanes
    {
        CacheLine.PrefetchStream(codes + (chunk * ChunkBytes));
        TInteger bytes = TIntegers.Load(codes + (chunk * ChunkBytes));
        TInteger first = TIntegers.LowNibbles(bytes);
        TInteger second = TIntegers.HighNibbles(bytes);
        h = TIntegers.AddBytes(h, first, TIntegers.Broadcast(high + (chunk * 8)));
        h = TIntegers.AddBytes(h, second, TIntegers.Broadcast(high + ((chunk * 8) + 4)));
        if (TPlanes.HasLowPlane)
        {
            l = TIntegers.AddBytes(l, first, TIntegers.Broadcast(low + (chunk * 8)));
            l = TIntegers.AddBytes(l, second, TIntegers.Broadcast(low + ((chunk * 8) + 4)));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddBlock<TPlanes>(
        byte* header, byte* codes, byte* high, byte* low, float* scale, int blockCount, ref TVector first, ref TVector second)
        where TPlanes : struct, IPlanes
    {
        TInteger h0 = TIntegers.Zero, h1 = TIntegers.Zero;
        TInteger l0 = TIntegers.Zero, l1 = TIntegers.Zero;
        AddChunk<TPlanes>(codes, high, low, ref h0, ref l0, ref h1, ref l1);
        AddChunk<TPlanes>(codes + ChunkBytes, high + 8, low + 8, ref h0, ref l0, ref h1, ref l1);
        AddChunk<TPlanes>(codes + (2 * ChunkBytes), high + 16, low + 16, ref h0, ref l0, ref h1, ref l1);
        AddChunk<TPlanes>(codes + (3 * ChunkBytes), high + 24, low + 24, ref h0, ref l0, ref h1, ref l1);
        TInteger a = TIntegers.LoadBytesAsPairs(header);
        first = AddScaled<TPlanes>(h0, l0, a, Zeros(header, a), scale, blockCount, first);
        header += TIntegers.Lanes;
        a = TIntegers.LoadBytesAsPairs(header);
        second = AddScaled<TPlanes>(h1, l1, a, Zeros(header, a), scale, blockCount, second);
    }

    // One chunk of two vectors: what is read of the row serves both.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddChunk<TPlanes>(
        byte* codes, byte* high, byte* low, ref TInteger h0, ref TInteger l0, ref TInteger h1, ref TInteger l1)
        where TPlanes : struct, IPlanes
    {
        CacheLine.PrefetchStream(codes);
        TInteger bytes0 = TIntegers.Load(codes);
        TInteger bytes1 = TIntegers.Load(codes + (TIntegers.Lanes * sizeof(int)));
        AddHalf<TPlanes>(
            TIntegers.LowNibbles(bytes0), TIntegers.LowNibbles(bytes1), high, low, ref h0, ref l0, ref h1, ref l1);
        AddHalf<TPlanes>(
            TIntegers.HighNibbles(bytes0), TIntegers.HighNibbles(bytes1), high + 4, low + 4, ref h0, ref l0, ref h1, ref l1);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddHalf<TPlanes>(
        TInteger w0, TInteger w1, byte* high, byte* low, ref TInteger h0, ref TInteger l0, ref TInteger h1, ref TInteger l1)
        where TPlanes : struct, IPlanes
    {
        TInteger x = TIntegers.Broadcast(high);
        h0 = TIntegers.AddBytes(h0, w0, x);
        h1 = TIntegers.AddBytes(h1, w1, x);
        if (TPlanes.HasLowPlane)
        {
            x = TIntegers.Broadcast(low);
            l0 = TIntegers.AddBytes(l0, w0, x);
            l1 = TIntegers.AddBytes(l1, w1, x);
        }
    }

    // scale · zero; zero points are stored in sixteenths
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector Zeros(byte* header, TInteger a) => TSimd.Multiply(
        TIntegers.ToFloat(TIntegers.ProductsOfShorts(TIntegers.LoadBytesAsIntegers(header + PackedLayout.TileRows), a)),
        TSimd.Broadcast(1f / PackedLayout.ZeroSteps));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector AddScaled<TPlanes>(
        TInteger high, TInteger low, TInteger a, TVector z, float* scale, int blockCount, TVector sum)
        where TPlanes : struct, IPlanes
    {
        TInteger total = TIntegers.TotalOfBytes(high, a);
        if (!TPlanes.HasLowPlane)
        {
            TVector negativeSum = TSimd.Broadcast(*QuantizedRows.NegativeSum(scale, blockCount));
            return TSimd.MultiplyAdd(
                TSimd.MultiplyAdd(z, negativeSum, TIntegers.ToFloat(total)), TSimd.Broadcast(scale[0]), sum);
        }

        // 32 · 15 · 16,383 · 255 is the largest magnitude, and fits.
        total = TIntegers.Combine(total, TIntegers.TotalOfBytes(low, a));
        sum = TSimd.MultiplyAdd(TIntegers.ToFloat(total), TSimd.Broadcast(scale[0]), sum);
        return TSimd.MultiplyAdd(z, TSimd.Broadcast(scale[blockCount]), sum);
    }
}
