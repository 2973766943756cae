using KimiLinear.Backends;
using KimiLinear.Layers;
using KimiLinear.Tensors;

namespace KimiLinear.Model;

/// <summary>The whole network: embedding, decoder layers, final norm and head.</summary>
internal sealed class Network(
    Tensor embedding,                   // [N, D]
    IReadOnlyList<DecoderLayer> layers,
    Tensor finalNorm,                   // [D]
    Tensor head,                        // [N, D]
    IReadOnlyList<Tensor> weights) : IDisposable
{
    private readonly DecoderLayer[] _layers = [.. layers];

    public IReadOnlyList<DecoderLayer> Layers => _layers;

    /// <summary>Runs the context's batch; the logits of the rows that asked end in the workspace, which has room.</summary>
    public void Forward(ForwardContext context)
    {
        ForwardBatch batch = context.Batch;
        Workspace workspace = context.Workspace;
        context.Backend.Embed(embedding, batch, workspace.Hidden);
        for (int i = 0; i < _layers.Length; i++)
        {
            Observe(context, i);
            _layers[i].Forward(context, workspace.Hidden);
        }

        Observe(context, _layers.Length);
        if (batch.LogitsRowCount > 0)
        {
            context.Backend.Logits(workspace.Hidden, finalNorm, head, batch, workspace.Logits);
        }
    }

    /// <summary>Frees what the backend holds for the weights.</summary>
    public void Dispose()
    {
        foreach (Tensor weight in weights)
        {
            weight.Dispose();
        }
    }

    private static void Observe(ForwardContext context, int layerIndex)
    {
        if (context.Observer is IForwardObserver observer)
        {
            float[] hidden = new float[context.Batch.TokenCount * context.Backend.Config.HiddenDim];
            context.Backend.Download(context.Workspace.Hidden, hidden);
            observer.OnHidden(layerIndex, hidden);
        }
    }
}
