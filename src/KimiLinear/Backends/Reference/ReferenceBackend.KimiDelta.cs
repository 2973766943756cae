using KimiLinear.Tensors;

namespace KimiLinear.Backends;

internal sealed unsafe partial class ReferenceBackend
{
    public override void KimiDelta(
        KimiDeltaWeights weights, Tensor projected, ForwardBatch batch, CacheStorage cache, int deltaLayer, Tensor output)
    {
        var storage = (HostCache)cache;
        int width = Config.DeltaDim;
        int headDim = Config.DeltaHeadDim;
        for (int sequence = 0; sequence < batch.SequenceCount; sequence++)
        {
            float* state = storage.State(batch.Slot(sequence), deltaLayer);
            Span<float> tail = new(storage.Tail(batch.Slot(sequence), deltaLayer), (int)cache.Layout.TailLength);
            for (int t = batch.Offset(sequence); t < batch.Offset(sequence + 1); t++)
            {
                Span<float> row = Row(projected, t);
                Span<float> queryKeyValue = row[..(3 * width)];
                Span<float> decayGate = row.Slice(3 * width, weights.DecayGateRank);
                Span<float> outputGate = row.Slice((3 * width) + weights.DecayGateRank, weights.OutputGateRank);
                Span<float> beta = row[^Config.DeltaHeadCount..];

                float[] convolved = Convolve(weights, queryKeyValue, tail);
                float[] decayInput = Project(decayGate, (HostMatrix)weights.DecayGateUp);
                float[] gate = Project(outputGate, (HostMatrix)weights.OutputGateUp);
                for (int head = 0; head < Config.DeltaHeadCount; head++)
                {
                    int first = head * headDim;
                    Span<float> q = convolved.AsSpan(first, headDim);
                    Span<float> k = convolved.AsSpan(width + first, headDim);
                    Span<float> v = convolved.AsSpan((2 * width) + first, headDim);
                    L2Normalize(q, 1 / MathF.Sqrt(headDim));
                    L2Normalize(k, 1);

                    Span<float> result = Row(output, t).Slice(first, headDim);
                    DeltaStep(
                        q,
                        k,
                        v,
                        LogDecay(weights, decayInput.AsSpan(first, headDim), head),
                        Sigmoid(beta[head]),
                        new Span<float>(state + ((long)head * headDim * headDim), headDim * headDim),
                        result);

                    float[] normed = RmsNorm(result, Vector(weights.OutputNorm));
                    for (int i = 0; i < headDim; i++)
                    {
                        result[i] = normed[i] * Sigmoid(gate[first + i]);
                    }
                }
            }
        }
    }

    /// <summary>One step of the gated delta rule for one head.</summary>
    /// <remarks>S ← S·diag(exp g), then S ← S + β·(v − S·k)·kᵀ, then o = S·q (arXiv:2510.26692, section 3).</remarks>
    internal static void DeltaStep(
        ReadOnlySpan<float> q,        // [K] L2-normalised, scaled by K^-1/2
        ReadOnlySpan<float> k,        // [K] L2-normalised
        ReadOnlySpan<float> v,        // [V]
        ReadOnlySpan<float> logDecay, // [K] g, never positive
        float beta,                   // in (0, 1)
        Span<float> state,            // [V, K] updated in place
        Span<float> output)           // [V]
    {
        for (int j = 0; j < v.Length; j++)
        {
            Span<float> row = state.Slice(j * k.Length, k.Length);
            float predicted = 0;
            for (int i = 0; i < k.Length; i++)
            {
                row[i] *= MathF.Exp(logDecay[i]);
                predicted += row[i] * k[i];
            }

            float correction = beta * (v[j] - predicted);
            float read = 0;
            for (int i = 0; i < k.Length; i++)
            {
                row[i] += correction * k[i];
                read += row[i] * q[i];
            }

            output[j] = read;
        }
    }

    // g = −exp(A_log) · softplus(a + dt_bias)
    private static float[] LogDecay(KimiDeltaWeights weights, ReadOnlySpan<float> decayInput, int head)
    {
        float rate = MathF.Exp(Vector(weights.DecayLog)[head]);
        float[] logDecay = new float[decayInput.Length];
        for (int i = 0; i < logDecay.Length; i++)
        {
            logDecay[i] = -rate * Softplus(decayInput[i] + Vector(weights.DecayBias)[(head * logDecay.Length) + i]);
        }

        return logDecay;
    }

    // ln(1 + e^x) without overflow, and without losing small values to the 1.
    private static float Softplus(float x)
    {
        // Kahan's form: .NET's LogP1 is Log(1 + e), which has lost e where the sum is rounded.
        float e = MathF.Exp(-MathF.Abs(x));
        float sum = 1 + e;
        return MathF.Max(x, 0) + (sum == 1 ? e : MathF.Log(sum) * (e / (sum - 1)));
    }

    private static void L2Normalize(Span<float> x, float scale)
    {
        float sumOfSquares = 0;
        foreach (float value in x)
        {
            sumOfSquares += value * value;
        }

        scale /= MathF.Sqrt(sumOfSquares + L2NormEpsilon);
        foreach (ref float value in x)
        {
            value *= scale;
        }
    }

    // y[c] = SiLU(Σ taps[i, c] · u[t − (W − 1) + i][c]); the tail holds the inputs before this one, oldest first.
    private float[] Convolve(
        KimiDeltaWeights weights,
        ReadOnlySpan<float> input, // [3·H·K]
        Span<float> tail)          // [W − 1, 3·H·K]
    {
        int taps = Config.ConvolutionWidth;
        int width = Config.DeltaDim;
        float[] output = new float[input.Length];
        for (int channel = 0; channel < input.Length; channel++)
        {
            Tensor convolution = (channel / width) switch
            {
                0 => weights.QueryConvolution,
                1 => weights.KeyConvolution,
                _ => weights.ValueConvolution,
            };
            ReadOnlySpan<float> kernel = Vector(convolution)[(channel % width)..];
            float sum = kernel[(taps - 1) * width] * input[channel];
            for (int i = 0; i < taps - 1; i++)
            {
                sum += kernel[i * width] * tail[(i * input.Length) + channel];
            }

            output[channel] = Silu(sum);
        }

        tail[input.Length..].CopyTo(tail);
        input.CopyTo(tail[^input.Length..]);
        return output;
    }
}
