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
}

/// <summary>Where a matrix product writes: value r of row t is set, or added to, possibly scaled per row.</summary>
/// <param name="data">First value of row 0.</param>
/// <param name="stride">Values from one row to the next.</param>
/// <param name="add">Whether to add to what is there.</param>
/// <param name="indices">Which rows, in order; <see langword="null"/> for the first ones.</param>
/// <param name="scales">A factor per row; <see langword="null"/> for none.</param>
internal readonly unsafe struct MatMulOutput(float* data, long stride, bool add = false, int* indices = null, float* scales = null)
{
    public void Put(int index, int column, float value)
    {
        float* target = data + ((indices == null ? index : indices[index]) * stride) + column;
        float scaled = scales == null ? value : value * scales[index];
        *target = add ? *target + scaled : scaled;
    }
}
