using System.Runtime.CompilerServices;
using KimiLinear.Backends;
using KimiLinear.Tensors;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Tests.Backends;

/// <summary>Products of quantised activations with a packed matrix in plain loops, and how exact they are.</summary>
internal sealed class PackedProducts
{
    private readonly PackedMatrix _matrix;
    private readonly QuantizedSample _sample;
    private readonly bool _isFused;
    private readonly float[] _products;

    public PackedProducts(PackedMatrix matrix, QuantizedSample sample, bool isFused)
    {
        _matrix = matrix;
        _sample = sample;
        _isFused = isFused;
        _products = new float[sample.Rows.Count * matrix.RowCount];
        for (int token = 0; token < sample.Rows.Count; token++)
        {
            int[] codes = [.. Enumerable.Range(0, matrix.Columns).Select(column => sample.Code(token, column))];
            for (int row = 0; row < matrix.RowCount; row++)
            {
                _products[(token * matrix.RowCount) + row] = Product(token, codes, row);
            }
        }
    }

    /// <summary>The products of these tokens, one after the other.</summary>
    public float[] Rows(int[] tokens) =>
        [.. tokens.SelectMany(token => _products[(token * _matrix.RowCount)..((token + 1) * _matrix.RowCount)])];

    /// <summary>
    /// Every product is as near to the sum of what the weights read back as, times what the activations stand for, as rounding
    /// to float32 allows.
    /// </summary>
    public void AssertNearExact()
    {
        int blocks = _matrix.Columns / PackedLayout.BlockColumns;
        double[] x = new double[_matrix.Columns];
        for (int token = 0; token < _sample.Rows.Count; token++)
        {
            for (int column = 0; column < x.Length; column++)
            {
                x[column] = _sample.Value(token, column);
            }

            for (int row = 0; row < _matrix.RowCount; row++)
            {
                (double exact, double magnitude) = Sum(row, x);

                // A block adds to the sum twice, or its offset to its products and both to the sum, scales a sum of integers and
                // an offset first, and the row is scaled in the end; reading a weight rounds twice. Each rounding is at most half
                // an ulp of what is added up.
                double tolerance = ((2 * blocks) + 10) * Math.Pow(2, -24) * magnitude;
                double actual = _products[(token * _matrix.RowCount) + row];
                Assert.InRange(actual - exact, -tolerance, tolerance);
            }
        }
    }

    // The exact product, and how large what is added up for it can be: a block's offset is taken from its codes.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private (double Exact, double Magnitude) Sum(int row, double[] x)
    {
        ReadOnlySpan<float> weights = _matrix.Values.AsSpan(row * _matrix.Columns, _matrix.Columns);
        double exact = 0;
        double magnitude = 0;
        for (int block = 0; block < x.Length / PackedLayout.BlockColumns; block++)
        {
            double offset = Math.Abs(
                (double)_matrix.RowScale(row) * _matrix.Scale(row, block) * _matrix.Zero(row, block) / PackedLayout.ZeroSteps);
            for (int i = 0; i < PackedLayout.BlockColumns; i++)
            {
                int column = (block * PackedLayout.BlockColumns) + i;
                exact += weights[column] * x[column];
                magnitude += (Math.Abs(weights[column]) + (2 * offset)) * Math.Abs(x[column]);
            }
        }

        return (exact, magnitude);
    }

    // The documented operations in their order.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private float Product(int token, int[] codes, int row)
    {
        ReadOnlySpan<int> weights = _matrix.Codes.AsSpan(row * _matrix.Columns, _matrix.Columns);
        float sum = 0;
        for (int block = 0; block < weights.Length / PackedLayout.BlockColumns; block++)
        {
            int total = 0;
            for (int i = 0; i < PackedLayout.BlockColumns; i++)
            {
                int column = (block * PackedLayout.BlockColumns) + i;
                total += weights[column] * codes[column];
            }

            float scale = _matrix.Scale(row, block);
            if (_matrix.Type == DataType.PackedQ8)
            {
                sum = MultiplyAdd(scale, total * _sample.Scale(token, block), sum);
            }
            else
            {
                // Scales of four-bit blocks are integers and join the exact sum.
                total *= (int)scale;
                float zero = scale * _matrix.Zero(row, block) / PackedLayout.ZeroSteps;
                if (_sample.Form == QuantizedForm.Bytes)
                {
                    int codeSum = codes.AsSpan(block * PackedLayout.BlockColumns, PackedLayout.BlockColumns).ToArray().Sum();
                    sum = MultiplyAdd(MultiplyAdd(zero, -codeSum, total), _sample.Scale(token, block), sum);
                }
                else
                {
                    sum = MultiplyAdd(total, _sample.Scale(token, block), sum);
                    sum = MultiplyAdd(zero, _sample.Offset(token, block), sum);
                }
            }
        }

        // A row of weights or one of activations has a scale of its own, never both.
        return sum * _matrix.RowScale(row) * _sample.RowScale(token);
    }

    private float MultiplyAdd(float a, float b, float c) => _isFused ? MathF.FusedMultiplyAdd(a, b, c) : (a * b) + c;
}
