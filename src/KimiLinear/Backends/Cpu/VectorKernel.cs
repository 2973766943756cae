using System.Runtime.CompilerServices;

namespace KimiLinear.Backends;

/// <summary>Operations on single rows.</summary>
/// <remarks>
/// What remains after the last whole vector is done value by value, so a row's result depends on its length alone.
/// </remarks>
internal static unsafe class VectorKernel<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    /// <summary>y += scale · x.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void MultiplyAdd(float* x, float scale, float* y, int length)
    {
        TVector scales = TSimd.Broadcast(scale);
        int i = 0;
        for (; i + TSimd.Width <= length; i += TSimd.Width)
        {
            TSimd.Store(y + i, TSimd.MultiplyAdd(TSimd.Load(x + i), scales, TSimd.Load(y + i)));
        }

        for (; i < length; i++)
        {
            y[i] += x[i] * scale;
        }
    }

    /// <summary>y = a ⊙ b.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Multiply(float* a, float* b, float* y, int length)
    {
        int i = 0;
        for (; i + TSimd.Width <= length; i += TSimd.Width)
        {
            TSimd.Store(y + i, TSimd.Multiply(TSimd.Load(a + i), TSimd.Load(b + i)));
        }

        for (; i < length; i++)
        {
            y[i] = a[i] * b[i];
        }
    }

    /// <summary>y += a.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Add(float* a, float* y, int length)
    {
        int i = 0;
        for (; i + TSimd.Width <= length; i += TSimd.Width)
        {
            TSimd.Store(y + i, TSimd.Add(TSimd.Load(y + i), TSimd.Load(a + i)));
        }

        for (; i < length; i++)
        {
            y[i] += a[i];
        }
    }

    /// <summary>y = x ⊙ e^(a − b), for exponents that are never positive.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void MultiplyExpDifference(float* x, float* a, float* b, float* y, int length)
    {
        int i = 0;
        for (; i + TSimd.Width <= length; i += TSimd.Width)
        {
            TVector factor = TSimd.Exp(TSimd.Subtract(TSimd.Load(a + i), TSimd.Load(b + i)));
            TSimd.Store(y + i, TSimd.Multiply(TSimd.Load(x + i), factor));
        }

        for (; i < length; i++)
        {
            y[i] = x[i] * MathF.Exp(a[i] - b[i]);
        }
    }

    /// <summary>Σ x ⊙ y ⊙ e^(a − b), for exponents that are never positive.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float DotExpDifference(float* x, float* y, float* a, float* b, int length)
    {
        TVector sums = TSimd.Zero;
        int i = 0;
        for (; i + TSimd.Width <= length; i += TSimd.Width)
        {
            TVector factor = TSimd.Exp(TSimd.Subtract(TSimd.Load(a + i), TSimd.Load(b + i)));
            sums = TSimd.MultiplyAdd(TSimd.Multiply(TSimd.Load(x + i), TSimd.Load(y + i)), factor, sums);
        }

        float sum = TSimd.Sum(sums);
        for (; i < length; i++)
        {
            sum += x[i] * y[i] * MathF.Exp(a[i] - b[i]);
        }

        return sum;
    }

    /// <summary>y = scale · y + Σ_s weights[s] · rows[s].</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void WeightedSum(
        float* weights, // [rowCount]
        float* rows,    // [rowCount, stride], the first length values of each
        long stride,
        int rowCount,
        float scale,
        float* y, // [length]
        int length)
    {
        TVector scales = TSimd.Broadcast(scale);
        int i = 0;
        for (; i + (2 * TSimd.Width) <= length; i += 2 * TSimd.Width)
        {
            TVector first = TSimd.Multiply(TSimd.Load(y + i), scales);
            TVector second = TSimd.Multiply(TSimd.Load(y + i + TSimd.Width), scales);
            float* row = rows + i;
            for (int s = 0; s < rowCount; s++, row += stride)
            {
                TVector weight = TSimd.Broadcast(weights[s]);
                first = TSimd.MultiplyAdd(weight, TSimd.Load(row), first);
                second = TSimd.MultiplyAdd(weight, TSimd.Load(row + TSimd.Width), second);
            }

            TSimd.Store(y + i, first);
            TSimd.Store(y + i + TSimd.Width, second);
        }

        for (; i < length; i++)
        {
            float sum = y[i] * scale;
            for (int s = 0; s < rowCount; s++)
            {
                sum += weights[s] * rows[(s * stride) + i];
            }

            y[i] = sum;
        }
    }

    /// <summary>y_i = weight_i · x_i / sqrt(mean x² + ε); x and y may be the same.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void RmsNorm(float* x, float* weight, float epsilon, float* y, int length)
    {
        float scale = 1 / MathF.Sqrt((SumOfSquares(x, length) / length) + epsilon);
        TVector scales = TSimd.Broadcast(scale);
        int i = 0;
        for (; i + TSimd.Width <= length; i += TSimd.Width)
        {
            TSimd.Store(y + i, TSimd.Multiply(TSimd.Multiply(TSimd.Load(x + i), scales), TSimd.Load(weight + i)));
        }

        for (; i < length; i++)
        {
            y[i] = x[i] * scale * weight[i];
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float SumOfSquares(float* x, int length)
    {
        TVector sums = TSimd.Zero;
        int i = 0;
        for (; i + TSimd.Width <= length; i += TSimd.Width)
        {
            TVector value = TSimd.Load(x + i);
            sums = TSimd.MultiplyAdd(value, value, sums);
        }

        float sum = TSimd.Sum(sums);
        for (; i < length; i++)
        {
            sum += x[i] * x[i];
        }

        return sum;
    }

    /// <summary>x *= scale.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Scale(float* x, float scale, int length)
    {
        TVector scales = TSimd.Broadcast(scale);
        int i = 0;
        for (; i + TSimd.Width <= length; i += TSimd.Width)
        {
            TSimd.Store(x + i, TSimd.Multiply(TSimd.Load(x + i), scales));
        }

        for (; i < length; i++)
        {
            x[i] *= scale;
        }
    }

    /// <summary>x = e^x.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Exp(float* x, int length)
    {
        int i = 0;
        for (; i + TSimd.Width <= length; i += TSimd.Width)
        {
            TSimd.Store(x + i, TSimd.Exp(TSimd.Load(x + i)));
        }

        for (; i < length; i++)
        {
            x[i] = MathF.Exp(x[i]);
        }
    }

    /// <summary>gate = SiLU(gate) ⊙ up.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void SiluMultiply(float* gate, float* up, int length)
    {
        int i = 0;
        for (; i + TSimd.Width <= length; i += TSimd.Width)
        {
            TSimd.Store(gate + i, TSimd.Multiply(Silu(TSimd.Load(gate + i)), TSimd.Load(up + i)));
        }

        for (; i < length; i++)
        {
            gate[i] = gate[i] / (1 + MathF.Exp(-gate[i])) * up[i];
        }
    }

    /// <summary>x = x ⊙ σ(gate).</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void SigmoidMultiply(float* x, float* gate, int length)
    {
        TVector one = TSimd.Broadcast(1);
        int i = 0;
        for (; i + TSimd.Width <= length; i += TSimd.Width)
        {
            TVector denominator = TSimd.Add(one, TSimd.Exp(TSimd.Subtract(TSimd.Zero, TSimd.Load(gate + i))));
            TSimd.Store(x + i, TSimd.Divide(TSimd.Load(x + i), denominator));
        }

        for (; i < length; i++)
        {
            x[i] /= 1 + MathF.Exp(-gate[i]);
        }
    }

    /// <summary>x = −rate · softplus(x + bias), the log decay.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void LogDecay(float* x, float* bias, float rate, int length)
    {
        TVector rates = TSimd.Broadcast(-rate);
        int i = 0;
        for (; i + TSimd.Width <= length; i += TSimd.Width)
        {
            // softplus(z) = max(z, 0) + ln(1 + e^−|z|) neither overflows nor loses small values.
            TVector z = TSimd.Add(TSimd.Load(x + i), TSimd.Load(bias + i));
            TVector negated = TSimd.Subtract(TSimd.Zero, z);
            TVector small = TSimd.Exp(TSimd.Subtract(TSimd.Zero, TSimd.Max(z, negated)));
            TSimd.Store(x + i, TSimd.Multiply(rates, TSimd.Add(TSimd.Max(z, TSimd.Zero), TSimd.Log1P(small))));
        }

        for (; i < length; i++)
        {
            float z = x[i] + bias[i];
            x[i] = -rate * (MathF.Max(z, 0) + float.LogP1(MathF.Exp(-MathF.Abs(z))));
        }
    }

    /// <summary>y = SiLU(Σ_i taps[i] ⊙ inputs[i]), the short convolution of neighbouring channels.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Convolve(
        float** inputs, // [W] pointers, oldest input first
        float* taps,    // [W, stride]
        long stride,
        int tapCount,
        float* y,
        int length)
    {
        int i = 0;
        for (; i + TSimd.Width <= length; i += TSimd.Width)
        {
            TVector sum = TSimd.Zero;
            for (int tap = 0; tap < tapCount; tap++)
            {
                sum = TSimd.MultiplyAdd(TSimd.Load(taps + (tap * stride) + i), TSimd.Load(inputs[tap] + i), sum);
            }

            TSimd.Store(y + i, Silu(sum));
        }

        for (; i < length; i++)
        {
            float sum = 0;
            for (int tap = 0; tap < tapCount; tap++)
            {
                sum += taps[(tap * stride) + i] * inputs[tap][i];
            }

            y[i] = sum / (1 + MathF.Exp(-sum));
        }
    }

    /// <summary>The largest of some values.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float Max(float* x, int length)
    {
        float max = float.NegativeInfinity;
        int i = 0;
        if (length >= TSimd.Width)
        {
            TVector maxima = TSimd.Load(x);
            for (i = TSimd.Width; i + TSimd.Width <= length; i += TSimd.Width)
            {
                maxima = TSimd.Max(maxima, TSimd.Load(x + i));
            }

            max = TSimd.MaxAcross(maxima);
        }

        for (; i < length; i++)
        {
            max = MathF.Max(max, x[i]);
        }

        return max;
    }

    /// <summary>x = e^(scale · x − shift); returns the sum.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float ExpSum(float* x, float scale, float shift, int length)
    {
        TVector scales = TSimd.Broadcast(scale);
        TVector shifts = TSimd.Broadcast(-shift);
        TVector sums = TSimd.Zero;
        int i = 0;
        for (; i + TSimd.Width <= length; i += TSimd.Width)
        {
            TVector value = TSimd.Exp(TSimd.MultiplyAdd(TSimd.Load(x + i), scales, shifts));
            TSimd.Store(x + i, value);
            sums = TSimd.Add(sums, value);
        }

        float sum = TSimd.Sum(sums);
        for (; i < length; i++)
        {
            x[i] = MathF.Exp((x[i] * scale) - shift);
            sum += x[i];
        }

        return sum;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector Silu(TVector x) =>
        TSimd.Divide(x, TSimd.Add(TSimd.Broadcast(1), TSimd.Exp(TSimd.Subtract(TSimd.Zero, x))));
}
