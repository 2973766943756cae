using System.Globalization;
using System.Numerics;

namespace KimiLinear.Pruning;

/// <summary>What was seen of the routed experts of one sparse layer: sums over the tokens routed to each.</summary>
/// <remarks>
/// f is the output of an expert before it is weighted, n = ‖f‖₂ its norm and g its weight by the <see cref="GateMode"/>. All lists
/// have one entry per expert. Means are made of sums when they are asked for, so that observations can be added.
/// </remarks>
public sealed class LayerStatistics
{
    private readonly long[] _tokenCounts;
    private readonly double[] _gateSums;
    private readonly double[] _normSums;
    private readonly double[] _gatedNormSums;
    private readonly double[] _squaredNormSums;
    private readonly double[] _squaredGatedNormSums;
    private readonly double[] _maxNorms;
    private readonly double[] _maxActivations;
    private readonly double[] _outputSums; // [E, D], or none

    /// <param name="layerIndex">Which layer, counted from 0 over all layers.</param>
    /// <param name="expertCount">The number of routed experts.</param>
    /// <param name="outputDim">The number of values of an output; 0 where outputs are not summed up.</param>
    internal LayerStatistics(int layerIndex, int expertCount, int outputDim = 0)
    {
        LayerIndex = layerIndex;
        _tokenCounts = new long[expertCount];
        _gateSums = new double[expertCount];
        _normSums = new double[expertCount];
        _gatedNormSums = new double[expertCount];
        _squaredNormSums = new double[expertCount];
        _squaredGatedNormSums = new double[expertCount];
        _maxNorms = new double[expertCount];
        _maxActivations = new double[expertCount];
        _outputSums = new double[expertCount * outputDim];
    }

    /// <summary>Gets which layer it is, counted from 0 over all layers.</summary>
    public int LayerIndex { get; }

    /// <summary>Gets the number of routed experts.</summary>
    public int ExpertCount => _tokenCounts.Length;

    /// <summary>Gets how many tokens were routed to each expert.</summary>
    public IReadOnlyList<long> TokenCounts => _tokenCounts;

    /// <summary>Gets the sums of g.</summary>
    public IReadOnlyList<double> GateSums => _gateSums;

    /// <summary>Gets the sums of n.</summary>
    public IReadOnlyList<double> NormSums => _normSums;

    /// <summary>Gets the sums of g·n.</summary>
    public IReadOnlyList<double> GatedNormSums => _gatedNormSums;

    /// <summary>Gets the sums of n².</summary>
    public IReadOnlyList<double> SquaredNormSums => _squaredNormSums;

    /// <summary>Gets the sums of (g·n)².</summary>
    public IReadOnlyList<double> SquaredGatedNormSums => _squaredGatedNormSums;

    /// <summary>Gets the largest n; 0 for an expert without tokens.</summary>
    public IReadOnlyList<double> MaxNorms => _maxNorms;

    /// <summary>Gets the largest absolute value in an output; 0 for an expert without tokens.</summary>
    public IReadOnlyList<double> MaxActivations => _maxActivations;

    /// <summary>
    /// Gets the REAP saliency: the mean of g·n over the tokens routed to the expert; 0 for an expert without tokens.
    /// </summary>
    public IReadOnlyList<double> Saliencies =>
        [.. _gatedNormSums.Select((sum, expert) => _tokenCounts[expert] == 0 ? 0 : sum / _tokenCounts[expert])];

    /// <summary>Gets the sum of an expert's outputs f over the tokens routed to it.</summary>
    /// <param name="expert">Which expert, counted from 0.</param>
    /// <returns>The sum; zeros for an expert without tokens. [D]</returns>
    /// <exception cref="ArgumentOutOfRangeException">There is no such expert.</exception>
    /// <exception cref="InvalidOperationException">
    /// The observation has no sums of outputs: it was made without <see cref="ObservationOptions.SumsOutputs"/>.
    /// </exception>
    public ReadOnlySpan<double> GetOutputSum(int expert)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(expert);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(expert, ExpertCount);
        return _outputSums.Length > 0 ? OutputSum(expert) : throw new InvalidOperationException(
            $"The observation has no sums of outputs. Make it anew with {nameof(ObservationOptions)}."
            + $"{nameof(ObservationOptions.SumsOutputs)} ('kimi observe --output-sums').");
    }

    /// <summary>
    /// Makes the "pairwise expert frequency" of the published REAP program of the counts: for each pair of experts, the tokens of one
    /// plus those of the other.
    /// </summary>
    /// <remarks>
    /// Despite its name it does not tell how often two experts were visited by the same token. Published merging divides sums of distances
    /// by it. It is no part of the file, since it follows from <see cref="TokenCounts"/>.
    /// </remarks>
    /// <returns>The sums, symmetric; on the diagonal, twice the tokens of an expert. [E, E]</returns>
    public long[,] PairwiseFrequencies()
    {
        long[,] frequencies = new long[ExpertCount, ExpertCount];
        for (int i = 0; i < ExpertCount; i++)
        {
            for (int j = 0; j < ExpertCount; j++)
            {
                frequencies[i, j] = _tokenCounts[i] + _tokenCounts[j];
            }
        }

        return frequencies;
    }

    /// <summary>Counts one token that was routed to an expert.</summary>
    internal void Record(int expert, double gate, double norm, double maxActivation)
    {
        double gatedNorm = gate * norm;
        if (!double.IsFinite(gatedNorm * gatedNorm) || !double.IsFinite(norm * norm))
        {
            // A sum with one such token in it would say nothing any more, and rank the expert anywhere.
            throw new InvalidOperationException(string.Create(
                CultureInfo.InvariantCulture,
                $"Expert {expert} of layer {LayerIndex} put out a norm of {norm} with weight {gate}: no finite numbers. The weights "
                + $"of the model are damaged, or its format is too narrow."));
        }

        _tokenCounts[expert]++;
        _gateSums[expert] += gate;
        _normSums[expert] += norm;
        _gatedNormSums[expert] += gatedNorm;
        _squaredNormSums[expert] += norm * norm;
        _squaredGatedNormSums[expert] += gatedNorm * gatedNorm;
        _maxNorms[expert] = Math.Max(_maxNorms[expert], norm);
        _maxActivations[expert] = Math.Max(_maxActivations[expert], maxActivation);
    }

    /// <summary>Adds one output of an expert to its sum.</summary>
    internal void AddOutput(int expert, ReadOnlySpan<float> output)
    {
        Span<double> sum = OutputSum(expert);
        int d = 0;
        for (; d <= output.Length - Vector<float>.Count; d += Vector<float>.Count)
        {
            Vector.Widen(new Vector<float>(output[d..]), out Vector<double> low, out Vector<double> high);
            Span<double> first = sum[d..];
            Span<double> second = first[Vector<double>.Count..];
            (new Vector<double>(first) + low).CopyTo(first);
            (new Vector<double>(second) + high).CopyTo(second);
        }

        for (; d < output.Length; d++)
        {
            sum[d] += output[d];
        }
    }

    internal void Add(LayerStatistics other)
    {
        for (int i = 0; i < ExpertCount; i++)
        {
            _tokenCounts[i] += other._tokenCounts[i];
            _gateSums[i] += other._gateSums[i];
            _normSums[i] += other._normSums[i];
            _gatedNormSums[i] += other._gatedNormSums[i];
            _squaredNormSums[i] += other._squaredNormSums[i];
            _squaredGatedNormSums[i] += other._squaredGatedNormSums[i];
            _maxNorms[i] = Math.Max(_maxNorms[i], other._maxNorms[i]);
            _maxActivations[i] = Math.Max(_maxActivations[i], other._maxActivations[i]);
        }

        for (int i = 0; i < _outputSums.Length; i++)
        {
            _outputSums[i] += other._outputSums[i];
        }
    }

    /// <summary>The arrays by their names in a file, to be written or filled.</summary>
    internal IEnumerable<KeyValuePair<string, double[]>> NamedSums =>
    [
        new("gate_sum", _gateSums),
        new("norm_sum", _normSums),
        new("gated_norm_sum", _gatedNormSums),
        new("squared_norm_sum", _squaredNormSums),
        new("squared_gated_norm_sum", _squaredGatedNormSums),
        new("max_norm", _maxNorms),
        new("max_activation", _maxActivations),
    ];

    /// <summary>The counts, to be filled.</summary>
    internal long[] TokenCountArray => _tokenCounts;

    /// <summary>The sum of an expert's outputs, to be filled; empty where outputs are not summed up. [D]</summary>
    internal Span<double> OutputSum(int expert)
    {
        int outputDim = _outputSums.Length / ExpertCount;
        return _outputSums.AsSpan(expert * outputDim, outputDim);
    }
}
