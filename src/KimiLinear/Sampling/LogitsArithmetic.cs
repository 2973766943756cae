using System.Numerics;
using System.Runtime.InteropServices;

namespace KimiLinear.Sampling;

/// <summary>The loops over a whole vocabulary that sampling is made of, a vector at a time.</summary>
internal static class LogitsArithmetic
{
    /// <summary>Returns the first index whose value is NaN, or -1.</summary>
    public static int IndexOfNaN(ReadOnlySpan<float> logits)
    {
        ReadOnlySpan<Vector<float>> vectors = MemoryMarshal.Cast<float, Vector<float>>(logits);
        int start = 0;
        while (start < vectors.Length && Vector.EqualsAll(vectors[start], vectors[start]))
        {
            start++;
        }

        for (int i = start * Vector<float>.Count; i < logits.Length; i++)
        {
            if (float.IsNaN(logits[i]))
            {
                return i;
            }
        }

        return -1;
    }

    /// <summary>Returns the highest value; the values must not contain NaN.</summary>
    public static float Max(ReadOnlySpan<float> logits)
    {
        ReadOnlySpan<Vector<float>> vectors = MemoryMarshal.Cast<float, Vector<float>>(logits);
        var maxima = new Vector<float>(float.NegativeInfinity);
        foreach (Vector<float> vector in vectors)
        {
            maxima = Vector.Max(maxima, vector);
        }

        float max = float.NegativeInfinity;
        for (int lane = 0; lane < Vector<float>.Count; lane++)
        {
            max = MathF.Max(max, maxima[lane]);
        }

        for (int i = vectors.Length * Vector<float>.Count; i < logits.Length; i++)
        {
            max = MathF.Max(max, logits[i]);
        }

        return max;
    }

    /// <summary>Returns the first index that holds a value equal to <paramref name="value"/>, or -1.</summary>
    public static int IndexOf(ReadOnlySpan<float> logits, float value)
    {
        ReadOnlySpan<Vector<float>> vectors = MemoryMarshal.Cast<float, Vector<float>>(logits);
        var wanted = new Vector<float>(value);
        int start = 0;
        while (start < vectors.Length && !Vector.EqualsAny(vectors[start], wanted))
        {
            start++;
        }

        for (int i = start * Vector<float>.Count; i < logits.Length; i++)
        {
            if (logits[i] == value)
            {
                return i;
            }
        }

        return -1;
    }

    /// <summary>Computes exp(logit - max), the softmax before it is normalised; source and destination may be the same.</summary>
    /// <param name="logits">The scores. [N]</param>
    /// <param name="max">The highest of them; when it is infinite, the scores equal to it get 1 and all others 0.</param>
    /// <param name="weights">Receives numbers from 0 to 1. [N]</param>
    public static void Exponentials(ReadOnlySpan<float> logits, float max, Span<float> weights)
    {
        if (float.IsInfinity(max))
        {
            for (int i = 0; i < logits.Length; i++)
            {
                weights[i] = logits[i] == max ? 1 : 0;
            }

            return;
        }

        ReadOnlySpan<Vector<float>> vectors = MemoryMarshal.Cast<float, Vector<float>>(logits);
        Span<Vector<float>> results = MemoryMarshal.Cast<float, Vector<float>>(weights);
        var shift = new Vector<float>(max);
        for (int i = 0; i < vectors.Length; i++)
        {
            results[i] = VectorExponential.Exp(vectors[i] - shift);
        }

        for (int i = vectors.Length * Vector<float>.Count; i < logits.Length; i++)
        {
            weights[i] = VectorExponential.Exp(logits[i] - max);
        }
    }

    /// <summary>Returns the logarithm of the sum of all exp(logit), without overflow.</summary>
    public static double LogSumExp(ReadOnlySpan<float> logits)
    {
        float max = Max(logits);
        if (float.IsInfinity(max))
        {
            return max;
        }

        ReadOnlySpan<Vector<float>> vectors = MemoryMarshal.Cast<float, Vector<float>>(logits);
        var shift = new Vector<float>(max);
        Vector<double> sums = Vector<double>.Zero;
        foreach (Vector<float> vector in vectors)
        {
            Vector.Widen(VectorExponential.Exp(vector - shift), out Vector<double> low, out Vector<double> high);
            sums += low + high;
        }

        double sum = Vector.Sum(sums);
        for (int i = vectors.Length * Vector<float>.Count; i < logits.Length; i++)
        {
            sum += VectorExponential.Exp(logits[i] - max);
        }

        return max + Math.Log(sum);
    }
}
