using System.Globalization;

namespace KimiLinear.Pruning;

/// <summary>What was seen of the routed experts of a model while it read calibration data.</summary>
/// <remarks>
/// Sums in float64 and counts, so that observations of several runs and machines can be added. Not safe for concurrent changes.
/// </remarks>
public sealed class ExpertStatistics
{
    private readonly LayerStatistics[] _layers;
    private readonly List<CalibrationSummary> _calibration = [];

    /// <param name="model">The model.</param>
    /// <param name="gateMode">What is taken for the weight of an expert's output.</param>
    /// <param name="sparseLayers">The sparse layers, ascending.</param>
    /// <param name="outputDim">The number of values of an output; 0 where outputs are not summed up.</param>
    internal ExpertStatistics(ObservedModel model, GateMode gateMode, IEnumerable<int> sparseLayers, int outputDim = 0)
    {
        Model = model;
        GateMode = gateMode;
        OutputDim = outputDim;
        _layers = [.. sparseLayers.Select(layer => new LayerStatistics(layer, model.ExpertCount, outputDim))];
    }

    /// <summary>Gets the model that was observed.</summary>
    public ObservedModel Model { get; }

    /// <summary>Gets what was taken for the weight of an expert's output.</summary>
    public GateMode GateMode { get; }

    /// <summary>Gets the sparse layers, ascending.</summary>
    public IReadOnlyList<LayerStatistics> Layers => _layers;

    /// <summary>Gets whether the outputs of each expert were summed up: <see cref="ObservationOptions.SumsOutputs"/>.</summary>
    public bool HasOutputSums => OutputDim > 0;

    /// <summary>Gets the calibration data, one entry for each observation that was added.</summary>
    public IReadOnlyList<CalibrationSummary> Calibration => _calibration;

    /// <summary>Gets the number of tokens the model has read.</summary>
    public long TokenCount => _calibration.Sum(summary => summary.TokenCount);

    /// <summary>Reads a file that <see cref="Save"/> wrote.</summary>
    /// <param name="path">The file.</param>
    /// <returns>What it holds.</returns>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="PruningFileException">It is damaged, or no such file.</exception>
    public static ExpertStatistics Load(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        return ExpertStatisticsFile.Read(path);
    }

    /// <summary>Writes a JSON file; it appears under its name only when it is whole.</summary>
    /// <param name="path">The file to make, or to replace. Its folder must exist.</param>
    /// <exception cref="IOException">It cannot be written.</exception>
    public void Save(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        AtomicFile.Write(path, stream => ExpertStatisticsFile.Write(this, stream));
    }

    /// <summary>Adds another observation of the same model, as if its data had been read too.</summary>
    /// <param name="other">The other observation; it is not changed.</param>
    /// <exception cref="ArgumentException">
    /// It is of another model, or of another gate mode, or only one of the two has sums of outputs.
    /// </exception>
    public void Add(ExpertStatistics other)
    {
        ArgumentNullException.ThrowIfNull(other);
        if (other.Model with { Name = Model.Name } != Model
            || !other._layers.Select(layer => layer.LayerIndex).SequenceEqual(_layers.Select(layer => layer.LayerIndex)))
        {
            throw new ArgumentException(
                $"Observations of different models cannot be added: '{Model.Name}' has the fingerprint {Model.Fingerprint}, "
                + $"'{other.Model.Name}' {other.Model.Fingerprint}.",
                nameof(other));
        }

        if (other.GateMode != GateMode)
        {
            throw new ArgumentException(
                $"Observations of different gate modes cannot be added: one is {GateMode}, the other {other.GateMode}.",
                nameof(other));
        }

        if (other.OutputDim != OutputDim)
        {
            throw new ArgumentException(
                $"Observations with and without sums of outputs cannot be added: one has {OutputDim} values for each expert, the other "
                + $"{other.OutputDim}. Make both with {nameof(ObservationOptions)}.{nameof(ObservationOptions.SumsOutputs)} ('kimi observe "
                + "--output-sums'), or both without.",
                nameof(other));
        }

        for (int i = 0; i < _layers.Length; i++)
        {
            _layers[i].Add(other._layers[i]);
        }

        _calibration.AddRange(other._calibration);
    }

    /// <summary>Finds a sparse layer.</summary>
    /// <param name="layerIndex">Which, counted from 0 over all layers.</param>
    /// <returns>The layer.</returns>
    /// <exception cref="ArgumentOutOfRangeException">There is no such sparse layer.</exception>
    public LayerStatistics GetLayer(int layerIndex) =>
        Array.Find(_layers, layer => layer.LayerIndex == layerIndex)
        ?? throw new ArgumentOutOfRangeException(
            nameof(layerIndex),
            layerIndex,
            string.Create(CultureInfo.InvariantCulture, $"Layer {layerIndex} is none of the {_layers.Length} sparse layers."));

    /// <summary>The number of values of an expert's output; 0 where outputs were not summed up.</summary>
    internal int OutputDim { get; }

    internal void AddCalibration(CalibrationSummary summary) => _calibration.Add(summary);
}
