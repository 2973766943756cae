using KimiLinear.Checkpoints;
using KimiLinear.Configuration;
using KimiLinear.Tensors;

namespace KimiLinear.Pruning;

/// <summary>The weights of one routed expert in float32.</summary>
/// <param name="Gate">[F, D]</param>
/// <param name="Up">[F, D]</param>
/// <param name="Down">[D, F]</param>
internal sealed record ExpertMatrices(float[] Gate, float[] Up, float[] Down)
{
    public static ExpertMatrices Read(Checkpoint checkpoint, int layer, int expert) => new(
        Values(checkpoint, layer, WeightNames.SparseMoe.ExpertGate(expert)),
        Values(checkpoint, layer, WeightNames.SparseMoe.ExpertUp(expert)),
        Values(checkpoint, layer, WeightNames.SparseMoe.ExpertDown(expert)));

    /// <summary>What the expert puts out for one row.</summary>
    public double[] Output(ReadOnlySpan<float> input)
    {
        int hiddenDim = input.Length;
        double[] inner = new double[Gate.Length / hiddenDim];
        for (int f = 0; f < inner.Length; f++)
        {
            (double gate, double up) = (0, 0);
            ReadOnlySpan<float> gateRow = Gate.AsSpan(f * hiddenDim, hiddenDim);
            ReadOnlySpan<float> upRow = Up.AsSpan(f * hiddenDim, hiddenDim);
            for (int d = 0; d < hiddenDim; d++)
            {
                gate += (double)gateRow[d] * input[d];
                up += (double)upRow[d] * input[d];
            }

            inner[f] = gate / (1 + Math.Exp(-gate)) * up;
        }

        double[] output = new double[hiddenDim];
        for (int d = 0; d < hiddenDim; d++)
        {
            ReadOnlySpan<float> row = Down.AsSpan(d * inner.Length, inner.Length);
            for (int f = 0; f < inner.Length; f++)
            {
                output[d] += row[f] * inner[f];
            }
        }

        return output;
    }

    /// <summary>The same expert with its inner units in the order in which they are most like another's.</summary>
    public ExpertMatrices MatchedTo(ExpertMatrices other, KimiLinearConfig config)
    {
        (int units, int hiddenDim) = (config.ExpertDim, config.HiddenDim);
        double[,] costs = new double[units, units];
        for (int mine = 0; mine < units; mine++)
        {
            for (int theirs = 0; theirs < units; theirs++)
            {
                costs[theirs, mine] = RowDistance(Gate, other.Gate, mine, theirs, hiddenDim)
                    + RowDistance(Up, other.Up, mine, theirs, hiddenDim)
                    + ColumnDistance(Down, other.Down, mine, theirs, units);
            }
        }

        int[] unitAt = Assignment.Least(costs);
        float[] gate = new float[Gate.Length];
        float[] up = new float[Up.Length];
        float[] down = new float[Down.Length];
        for (int unit = 0; unit < units; unit++)
        {
            Gate.AsSpan(unitAt[unit] * hiddenDim, hiddenDim).CopyTo(gate.AsSpan(unit * hiddenDim));
            Up.AsSpan(unitAt[unit] * hiddenDim, hiddenDim).CopyTo(up.AsSpan(unit * hiddenDim));
            for (int d = 0; d < hiddenDim; d++)
            {
                down[(d * units) + unit] = Down[(d * units) + unitAt[unit]];
            }
        }

        return new ExpertMatrices(gate, up, down);
    }

    /// <summary>The mean of experts by weights, of which some must be above 0.</summary>
    public static ExpertMatrices Mean(IReadOnlyList<ExpertMatrices> experts, IReadOnlyList<double> weights) => new(
        Mean([.. experts.Select(expert => expert.Gate)], weights),
        Mean([.. experts.Select(expert => expert.Up)], weights),
        Mean([.. experts.Select(expert => expert.Down)], weights));

    private static float[] Mean(float[][] values, IReadOnlyList<double> weights)
    {
        double total = weights.Sum();
        float[] mean = new float[values[0].Length];
        for (int i = 0; i < mean.Length; i++)
        {
            double sum = 0;
            for (int expert = 0; expert < values.Length; expert++)
            {
                sum += weights[expert] * values[expert][i];
            }

            mean[i] = (float)(sum / total);
        }

        return mean;
    }

    private static double RowDistance(float[] one, float[] other, int row, int otherRow, int length)
    {
        double sum = 0;
        for (int i = 0; i < length; i++)
        {
            double difference = (double)one[(row * length) + i] - other[(otherRow * length) + i];
            sum += difference * difference;
        }

        return sum;
    }

    private static double ColumnDistance(float[] one, float[] other, int column, int otherColumn, int columns)
    {
        double sum = 0;
        for (int row = 0; row < one.Length; row += columns)
        {
            double difference = (double)one[row + column] - other[row + otherColumn];
            sum += difference * difference;
        }

        return sum;
    }

    private static float[] Values(Checkpoint checkpoint, int layer, string name)
    {
        StoredTensor tensor = checkpoint.Get(WeightNames.InLayer(layer, name));
        float[] values = new float[tensor.Shape.ElementCount];
        StoredValues.CopyTo(tensor, values);
        return values;
    }
}
