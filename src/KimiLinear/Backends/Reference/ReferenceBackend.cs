using KimiLinear.Configuration;
using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary>Every operator in plain float32 loops: the reading copy, and what the fast backends are tested against.</summary>
/// <remarks>It may allocate and it is slow; it has one form of each operator, computed token by token.</remarks>
internal sealed unsafe partial class ReferenceBackend(KimiLinearConfig config) : HostBackend(config)
{
    public override string Description => "reference (plain loops)";

    public override void NormProject(Tensor hidden, Tensor norm, Tensor weight, int tokenCount, Tensor projected)
    {
        for (int t = 0; t < tokenCount; t++)
        {
            float[] normed = RmsNorm(Row(hidden, t), Vector(norm));
            Project(normed, (HostMatrix)weight).CopyTo(Row(projected, t));
        }
    }

    public override void ProjectAdd(Tensor input, Tensor weight, int tokenCount, Tensor hidden)
    {
        for (int t = 0; t < tokenCount; t++)
        {
            Add(Project(Row(input, t), (HostMatrix)weight), Row(hidden, t));
        }
    }

    public override void DenseMlpAdd(DenseMlpWeights weights, int tokenCount, Tensor hidden)
    {
        for (int t = 0; t < tokenCount; t++)
        {
            float[] normed = RmsNorm(Row(hidden, t), Vector(weights.Norm));
            Add(GatedMlp(normed, (HostMatrix)weights.GateUp, (HostMatrix)weights.Down), Row(hidden, t));
        }
    }

    public override void Logits(Tensor hidden, Tensor norm, Tensor head, ForwardBatch batch, Tensor logits)
    {
        for (int i = 0; i < batch.LogitsRowCount; i++)
        {
            float[] normed = RmsNorm(Row(hidden, batch.LogitsRows[i]), Vector(norm));
            Project(normed, (HostMatrix)head).CopyTo(Row(logits, i));
        }
    }

    public override void Dispose()
    {
    }

    private static Span<float> Vector(Tensor tensor) => ((HostBuffer)tensor).Span;

    private static Span<float> Row(Tensor tensor, int row)
    {
        var buffer = (HostBuffer)tensor;
        return new Span<float>(buffer.Data + ((long)row * buffer.ColumnCount), buffer.ColumnCount);
    }

    // y_i = w_i · x_i / sqrt(mean x² + ε)
    private float[] RmsNorm(ReadOnlySpan<float> x, ReadOnlySpan<float> weight)
    {
        float sumOfSquares = 0;
        foreach (float value in x)
        {
            sumOfSquares += value * value;
        }

        float scale = 1 / MathF.Sqrt((sumOfSquares / x.Length) + Config.RmsNormEpsilon);
        float[] y = new float[x.Length];
        for (int i = 0; i < x.Length; i++)
        {
            y[i] = x[i] * scale * weight[i];
        }

        return y;
    }

    // y = W x
    private static float[] Project(ReadOnlySpan<float> x, HostMatrix weight) => Project(x, weight, 0, weight.RowCount);

    private static float[] Project(ReadOnlySpan<float> x, HostMatrix weight, int firstRow, int rowCount)
    {
        float[] y = new float[rowCount];
        float[] w = new float[weight.ColumnCount];
        for (int row = 0; row < rowCount; row++)
        {
            fixed (float* destination = w)
            {
                weight.ReadRow(firstRow + row, destination);
            }

            float sum = 0;
            for (int i = 0; i < x.Length; i++)
            {
                sum += w[i] * x[i];
            }

            y[row] = sum;
        }

        return y;
    }

    // W_down (SiLU(W_gate x) ⊙ W_up x)
    private static float[] GatedMlp(ReadOnlySpan<float> x, HostMatrix gateUp, HostMatrix down)
    {
        float[] gateAndUp = Project(x, gateUp);
        int width = gateAndUp.Length / 2;
        float[] inner = new float[width];
        for (int i = 0; i < width; i++)
        {
            inner[i] = Silu(gateAndUp[i]) * gateAndUp[width + i];
        }

        return Project(inner, down);
    }

    private static void Add(ReadOnlySpan<float> x, Span<float> destination)
    {
        for (int i = 0; i < x.Length; i++)
        {
            destination[i] += x[i];
        }
    }

    private static float Sigmoid(float x) => 1 / (1 + MathF.Exp(-x));

    private static float Silu(float x) => x * Sigmoid(x);
}
