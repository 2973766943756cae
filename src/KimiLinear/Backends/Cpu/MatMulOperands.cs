using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary>The rows a matrix product reads.</summary>
/// <param name="data">First value of row 0.</param>
/// <param name="stride">Values from one row to the next.</param>
/// <param name="count">Number of rows.</param>
/// <param name="indices">Which rows, in order; <see langword="null"/> for the first ones.</param>
internal readonly unsafe struct MatMulInput(float* data, long stride, int count, int* indices = null)
{
    public int Count { get; } = count;

    public float* Row(int index) => data + ((indices == null ? index : indices[index]) * stride);

    /// <summary>The rows at these places, in this order.</summary>
    public MatMulInput Select(int* rowIndices, int rowCount) => new(data, stride, rowCount, rowIndices);

    /// <summary>Consecutive rows from one on.</summary>
    public MatMulInput From(int row, int rowCount) => new(data + (row * stride), stride, rowCount);
}

/// <summary>Where a matrix product writes: value r of row t is set, or added to, possibly scaled per row.</summary>
/// <param name="data">First value of row 0.</param>
/// <param name="stride">Values from one row to the next.</param>
/// <param name="add">Whether to add to what is there.</param>
/// <param name="indices">Which rows, in order; <see langword="null"/> for the first ones.</param>
/// <param name="scales">A factor per row; <see langword="null"/> for none.</param>
internal readonly unsafe struct MatMulOutput(
    float* data, long stride, bool add = false, int* indices = null, float* scales = null)
{
    /// <summary>The same rows, counting columns from another one.</summary>
    public MatMulOutput FromColumn(int column) => new(data + column, stride, add, indices, scales);

    /// <summary>The same columns, counting rows from another one.</summary>
    public MatMulOutput FromRow(int row) => new(
        indices == null ? data + (row * stride) : data,
        stride,
        add,
        indices == null ? null : indices + row,
        scales == null ? null : scales + row);

    public MatMulRow Row(int index, int column) => new(
        data + ((indices == null ? index : indices[index]) * stride) + column, scales == null ? 1 : scales[index], add);
}

/// <summary>One row a matrix product writes.</summary>
internal readonly unsafe struct MatMulRow(float* data, float scale, bool add)
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Put(int column, float value)
    {
        float scaled = value * scale;
        data[column] = add ? data[column] + scaled : scaled;
    }

    /// <summary>Writes four neighbours, each as <see cref="Put"/> would.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Put4(int column, Vector128<float> values)
    {
        Vector128<float> scaled = values * scale;
        (add ? Vector128.Load(data + column) + scaled : scaled).Store(data + column);
    }

    /// <summary>Writes two vectors of neighbours, each value as <see cref="Put"/> would.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Put2<TSimd, TVector>(TVector first, TVector second)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        PutVector<TSimd, TVector>(0, first);
        PutVector<TSimd, TVector>(TSimd.Width, second);
    }

    /// <summary>Writes the 16 values of a tile, each as <see cref="Put"/> would.</summary>
    public void PutTile<TSimd, TVector>(float* values)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        for (int i = 0; i < PackedLayout.TileRows; i += TSimd.Width)
        {
            PutVector<TSimd, TVector>(i, TSimd.Load(values + i));
        }
    }

    /// <summary>Writes the 16 values of a tile, each times the same factor and then as <see cref="Put"/> would.</summary>
    public void PutTile<TSimd, TVector>(float* values, float factor)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        for (int i = 0; i < PackedLayout.TileRows; i += TSimd.Width)
        {
            PutVector<TSimd, TVector>(i, TSimd.Multiply(TSimd.Load(values + i), TSimd.Broadcast(factor)));
        }
    }

    /// <summary>Writes 16 products, each times a factor and then as <see cref="Put"/> would.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void PutTile<TSimd, TVector>(int column, float* values, float* factors)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        for (int i = 0; i < PackedLayout.TileRows; i += TSimd.Width)
        {
            PutVector<TSimd, TVector>(column + i, TSimd.Multiply(TSimd.Load(values + i), TSimd.Load(factors + i)));
        }
    }

    /// <summary>Writes neighbours, each as <see cref="Put"/> would.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void PutAll<TSimd, TVector>(float* values, int count)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        int i = 0;
        for (; i + TSimd.Width <= count; i += TSimd.Width)
        {
            PutVector<TSimd, TVector>(i, TSimd.Load(values + i));
        }

        for (; i < count; i++)
        {
            Put(i, values[i]);
        }
    }

    /// <summary>Writes some of the 16 values of a tile, each as <see cref="Put"/> would.</summary>
    public void PutRows<TSimd, TVector>(float* values, int count)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        if (count == PackedLayout.TileRows)
        {
            PutTile<TSimd, TVector>(values);
            return;
        }

        for (int i = 0; i < count; i++)
        {
            Put(i, values[i]);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void PutVector<TSimd, TVector>(int column, TVector values)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        TVector scaled = TSimd.Multiply(values, TSimd.Broadcast(scale));
        TSimd.Store(data + column, add ? TSimd.Add(TSimd.Load(data + column), scaled) : scaled);
    }
}
