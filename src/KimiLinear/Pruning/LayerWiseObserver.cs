using System.Globalization;
using System.Runtime.InteropServices;
using KimiLinear.Backends;
using KimiLinear.Checkpoints;
using KimiLinear.Model;

namespace KimiLinear.Pruning;

/// <summary>Sends all data through one layer after the other; what lies between two layers is in a file.</summary>
/// <remarks>
/// A file holds the rows that go into a layer, float32, in the order of the tokens. It is whole before the state says that its
/// layer is next, and it goes once the one behind it is whole.
/// </remarks>
internal sealed class LayerWiseObserver(
    Observation observation,
    Checkpoint checkpoint,
    ModelLoadOptions loadOptions,
    ObservationOptions options,
    IProgress<ObservationProgress>? progress)
{
    private const string Pattern = "layer-*.activations";

    private float[] _hidden = [];

    // Layers behind the last one with experts need not be computed.
    private int LastLayer => observation.Config.SparseLayers.ToList().LastIndexOf(true);

    private int RowBytes => observation.Config.HiddenDim * sizeof(float);

    private long FileBytes => observation.Data.TokenCount * RowBytes;

    public void Run(ObservationState state, ObservationFolder folder, CancellationToken cancellationToken)
    {
        RequireSpace(folder);
        long tokens = observation.Data.TokenCount;
        long before = observation.Pass.TokensBefore(state.GroupsDone);
        ObservationMeter meter = new(tokens * (LastLayer + 1), (tokens * state.Layer) + before, progress);
        ObservationState reached = state;
        while (reached.Layer <= LastLayer)
        {
            RunLayer(reached, folder, meter, cancellationToken);
            reached = new ObservationState(reached.Layer + 1, 0, reached.Statistics);
            folder.Save(reached);
        }
    }

    private void RunLayer(
        ObservationState state, ObservationFolder folder, ObservationMeter meter, CancellationToken cancellationToken)
    {
        int layer = state.Layer;
        string inputPath = PathOf(folder, layer);
        string outputPath = PathOf(folder, layer + 1);
        foreach (string left in Directory.GetFiles(folder.PathOf(""), Pattern).Except([inputPath, outputPath]))
        {
            File.Delete(left);
        }

        long offset = observation.Pass.TokensBefore(state.GroupsDone) * RowBytes;
        using FileStream? input = layer == 0 ? null : OpenInput(inputPath, offset);
        using FileStream? output = layer == LastLayer ? null : OpenOutput(outputPath, offset);
        using LoneLayer lone = Load(layer);
        ExpertRecorder recorder = new(observation.Config, state.Statistics);
        string step = string.Create(CultureInfo.InvariantCulture, $"observing layer {layer + 1} of {LastLayer + 1}");
        observation.Pass.Run(
            state.GroupsDone,
            lone.CreateSequence,
            entries =>
            {
                int count = ExpertObserver.TokensOf(entries);
                Span<float> hidden = Reserve(count);
                input?.ReadExactly(MemoryMarshal.AsBytes(hidden));
                lone.Forward(entries, recorder, hidden);
                output?.Write(MemoryMarshal.AsBytes(hidden));
                meter.Add(count, step);
            },
            groups =>
            {
                if (groups < observation.Pass.GroupCount && observation.IsSavingDue())
                {
                    output?.Flush(flushToDisk: true);
                    folder.Save(state with { GroupsDone = groups });
                }
            },
            cancellationToken);
        output?.Flush(flushToDisk: true);
    }

    private Span<float> Reserve(int tokenCount)
    {
        int length = tokenCount * observation.Config.HiddenDim;
        if (_hidden.Length < length)
        {
            _hidden = new float[length];
        }

        return _hidden.AsSpan(0, length);
    }

    private LoneLayer Load(int layer)
    {
        // Every kind of device takes memory for weights once; so each layer has a backend of its own.
        ComputeBackend backend = DeviceChoice.Make(observation.Config, checkpoint, loadOptions).Backend;
        bool usesQuantized = checkpoint.HasQuantizedWeights && backend is HostBackend;
        if (!backend.MeasuresExperts)
        {
            using (backend)
            {
                ExpertObserver.RequireMeasures(false, backend.Description);
            }
        }

        return new LoneLayer(checkpoint, backend, layer, loadOptions.LatentCacheFor(usesQuantized));
    }

    private FileStream OpenInput(string path, long offset)
    {
        FileStream stream = new(path, FileMode.Open, FileAccess.Read, FileShare.Read);
        if (stream.Length != FileBytes)
        {
            stream.Dispose();
            throw new PruningFileException(
                $"'{path}' should hold {FileBytes} bytes, but holds {new FileInfo(path).Length}. Remove its folder and begin anew.",
                path);
        }

        stream.Position = offset;
        return stream;
    }

    // What was written after the last state was saved is written again.
    private static FileStream OpenOutput(string path, long offset)
    {
        FileStream stream = new(path, FileMode.OpenOrCreate, FileAccess.Write, FileShare.None);
        if (stream.Length < offset)
        {
            stream.Dispose();
            throw new PruningFileException(
                $"'{path}' should hold at least {offset} bytes, but holds {new FileInfo(path).Length}. Remove its folder and begin "
                + "anew.",
                path);
        }

        stream.SetLength(offset);
        stream.Position = offset;
        return stream;
    }

    private static string PathOf(ObservationFolder folder, int layer) =>
        folder.PathOf(string.Create(CultureInfo.InvariantCulture, $"layer-{layer}.activations"));

    private void RequireSpace(ObservationFolder folder)
    {
        string path = folder.PathOf("");
        long present = Directory.GetFiles(path, Pattern).Sum(file => new FileInfo(file).Length);
        long needed = (2 * FileBytes) - present;
        long free = options.FreeSpace(path);
        if (needed > free)
        {
            throw new IOException(string.Create(
                CultureInfo.InvariantCulture,
                $"What lies between two layers needs {needed / 1e9:F1} GB more on the disk of '{path}', but only {free / 1e9:F1} GB "
                + $"are free. Make room, choose a result on another disk, or use less data."));
        }
    }
}
