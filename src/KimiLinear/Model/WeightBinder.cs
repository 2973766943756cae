using KimiLinear.Backends;
using KimiLinear.Checkpoints;
using KimiLinear.Configuration;
using KimiLinear.Layers;
using KimiLinear.Tensors;

namespace KimiLinear.Model;

/// <summary>Hands a checkpoint's tensors to a backend and builds the network from what it makes of them.</summary>
internal sealed class WeightBinder(
    Checkpoint checkpoint,
    ComputeBackend backend,
    IProgress<ModelLoadProgress>? progress,
    CancellationToken cancellationToken)
{
    private readonly List<Tensor> _bound = [];
    private readonly long _totalBytes = checkpoint.Tensors.Sum(tensor => tensor.ByteCount);
    private long _boundBytes;
    private string _layerPrefix = "";

    private KimiLinearConfig Config => backend.Config;

    /// <summary>Binds everything; what was bound is freed again when that fails.</summary>
    public Network Bind()
    {
        try
        {
            backend.ExpectWeights(checkpoint.Tensors);
            Tensor embedding = Bind(WeightRole.Embedding, WeightNames.TokenEmbedding);
            DecoderLayer[] layers = new DecoderLayer[Config.LayerCount];
            int deltaLayers = 0;
            int latentLayers = 0;
            for (int i = 0; i < layers.Length; i++)
            {
                cancellationToken.ThrowIfCancellationRequested();
                layers[i] = BindLayer(i, Config.LayerKinds[i] == LayerKind.KimiDelta ? deltaLayers++ : latentLayers++);
                progress?.Report(new ModelLoadProgress(_boundBytes, _totalBytes, $"binding layer {i + 1} of {layers.Length}"));
            }

            _layerPrefix = "";
            Tensor norm = Bind(WeightRole.Vector, WeightNames.FinalNorm);
            Tensor head = Bind(WeightRole.Projection, Config.TieWordEmbeddings ? WeightNames.TokenEmbedding : WeightNames.Head);
            return new Network(embedding, layers, norm, head, _bound);
        }
        catch
        {
            _bound.ForEach(tensor => tensor.Dispose());
            throw;
        }
    }

    /// <summary>Binds one layer and, where it is the first, the embedding; what was bound is freed again when that fails.</summary>
    /// <returns>The layer, which counts as the first of its kind; the embedding; and all that was bound.</returns>
    public (DecoderLayer Layer, Tensor? Embedding, IReadOnlyList<Tensor> Weights) BindAlone(int layerIndex)
    {
        try
        {
            string prefix = WeightNames.InLayer(layerIndex, "");
            backend.ExpectWeights(checkpoint.Tensors.Where(tensor =>
                tensor.Name.StartsWith(prefix, StringComparison.Ordinal)
                || (layerIndex == 0 && tensor.Name == WeightNames.TokenEmbedding)));
            Tensor? embedding = layerIndex == 0 ? Bind(WeightRole.Embedding, WeightNames.TokenEmbedding) : null;
            return (BindLayer(layerIndex, indexOfKind: 0), embedding, _bound);
        }
        catch
        {
            _bound.ForEach(tensor => tensor.Dispose());
            throw;
        }
    }

    private DecoderLayer BindLayer(int layerIndex, int indexOfKind)
    {
        _layerPrefix = WeightNames.InLayer(layerIndex, "");
        IAttention attention = Config.LayerKinds[layerIndex] == LayerKind.KimiDelta
            ? new KimiDeltaAttention(BindKimiDelta(), indexOfKind)
            : new MultiHeadLatentAttention(BindLatentAttention(), indexOfKind);
        IFeedForward feedForward = Config.SparseLayers[layerIndex]
            ? new SparseMoe(BindSparseMoe(), layerIndex)
            : new GatedMlp(BindDenseMlp());
        return new DecoderLayer(attention, feedForward);
    }

    private KimiDeltaWeights BindKimiDelta() => new()
    {
        Norm = Bind(WeightRole.Vector, WeightNames.InputNorm),
        Projection = Bind(
            WeightRole.Projection,
            WeightNames.KimiDelta.Query,
            WeightNames.KimiDelta.Key,
            WeightNames.KimiDelta.Value,
            WeightNames.KimiDelta.DecayGateDown,
            WeightNames.KimiDelta.OutputGateDown,
            WeightNames.KimiDelta.Beta),
        QueryConvolution = Bind(WeightRole.Convolution, WeightNames.KimiDelta.QueryConvolution),
        KeyConvolution = Bind(WeightRole.Convolution, WeightNames.KimiDelta.KeyConvolution),
        ValueConvolution = Bind(WeightRole.Convolution, WeightNames.KimiDelta.ValueConvolution),
        DecayGateUp = Bind(WeightRole.WithinAttention, WeightNames.KimiDelta.DecayGateUp),
        DecayLog = Bind(WeightRole.Vector, WeightNames.KimiDelta.DecayLog),
        DecayBias = Bind(WeightRole.Vector, WeightNames.KimiDelta.DecayBias),
        OutputGateUp = Bind(WeightRole.WithinAttention, WeightNames.KimiDelta.OutputGateUp),
        OutputNorm = Bind(WeightRole.Vector, WeightNames.KimiDelta.OutputNorm),
        Output = Bind(WeightRole.Projection, WeightNames.KimiDelta.Output),
    };

    private LatentAttentionWeights BindLatentAttention() => new()
    {
        Norm = Bind(WeightRole.Vector, WeightNames.InputNorm),
        Projection = Bind(WeightRole.Projection, WeightNames.LatentAttention.Query, WeightNames.LatentAttention.KeyValueDown),
        LatentNorm = Bind(WeightRole.Vector, WeightNames.LatentAttention.LatentNorm),
        KeyValueUp = Bind(WeightRole.WithinAttention, WeightNames.LatentAttention.KeyValueUp),
        Output = Bind(WeightRole.Projection, WeightNames.LatentAttention.Output),
    };

    private DenseMlpWeights BindDenseMlp() => new()
    {
        Norm = Bind(WeightRole.Vector, WeightNames.FeedForwardNorm),
        GateUp = Bind(WeightRole.Projection, WeightNames.DenseMlp.Gate, WeightNames.DenseMlp.Up),
        Down = Bind(WeightRole.Projection, WeightNames.DenseMlp.Down),
    };

    private SparseMoeWeights BindSparseMoe()
    {
        string[] gateUp = new string[2 * Config.ExpertCount];
        string[] down = new string[Config.ExpertCount];
        for (int expert = 0; expert < Config.ExpertCount; expert++)
        {
            gateUp[2 * expert] = WeightNames.SparseMoe.ExpertGate(expert);
            gateUp[(2 * expert) + 1] = WeightNames.SparseMoe.ExpertUp(expert);
            down[expert] = WeightNames.SparseMoe.ExpertDown(expert);
        }

        bool shared = Config.SharedExpertCount > 0;
        return new SparseMoeWeights
        {
            Norm = Bind(WeightRole.Vector, WeightNames.FeedForwardNorm),
            Router = Bind(WeightRole.Router, WeightNames.SparseMoe.Router),
            CorrectionBias = Bind(WeightRole.Vector, WeightNames.SparseMoe.ScoreCorrectionBias),
            ExpertGateUp = Bind(WeightRole.ExpertGateUp, gateUp),
            ExpertDown = Bind(WeightRole.ExpertDown, down),
            SharedGateUp = shared
                ? Bind(WeightRole.Projection, WeightNames.SparseMoe.SharedGate, WeightNames.SparseMoe.SharedUp)
                : null,
            SharedDown = shared ? Bind(WeightRole.Projection, WeightNames.SparseMoe.SharedDown) : null,
        };
    }

    private Tensor Bind(WeightRole role, params ReadOnlySpan<string> names)
    {
        StoredTensor[] parts = new StoredTensor[names.Length];
        for (int i = 0; i < names.Length; i++)
        {
            parts[i] = checkpoint.Get(_layerPrefix + names[i]);
            _boundBytes += parts[i].ByteCount;
        }

        Tensor tensor = backend.Bind(role, parts);
        _bound.Add(tensor);
        return tensor;
    }
}
