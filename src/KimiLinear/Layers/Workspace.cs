using KimiLinear.Backends;
using KimiLinear.Tensors;

namespace KimiLinear.Layers;

/// <summary>Activation buffers that all layers share, reused between steps.</summary>
internal sealed class Workspace(ComputeBackend backend, int deltaProjectionDim, int latentProjectionDim) : IDisposable
{
    private Buffer _hidden = new(backend, backend.Config.HiddenDim);
    private Buffer _deltaProjected = new(backend, deltaProjectionDim);
    private Buffer _latentProjected = new(backend, latentProjectionDim);
    private Buffer _deltaMixed = new(backend, backend.Config.DeltaDim);
    private Buffer _latentMixed = new(backend, backend.Config.LatentHeadCount * backend.Config.LatentValueDim);
    private Buffer _logits = new(backend, backend.Config.VocabularySize);

    /// <summary>Makes the buffers that some layers need.</summary>
    public static Workspace For(ComputeBackend backend, IEnumerable<DecoderLayer> layers)
    {
        int delta = 1;
        int latent = 1;
        foreach (DecoderLayer layer in layers)
        {
            switch (layer.Attention)
            {
                case KimiDeltaAttention attention:
                    delta = attention.Weights.ProjectionDim;
                    break;
                case MultiHeadLatentAttention attention:
                    latent = attention.Weights.ProjectionDim;
                    break;
            }
        }

        return new Workspace(backend, delta, latent);
    }

    /// <summary>The residual stream.</summary>
    public Tensor Hidden => _hidden.Tensor; // [T, D]

    public Tensor DeltaProjected => _deltaProjected.Tensor; // [T, 3·H·K + G_f + G_g + H]

    public Tensor LatentProjected => _latentProjected.Tensor; // [T, H·(Nope + P) + R + P]

    /// <summary>What the Kimi Delta heads read, before the output projection.</summary>
    public Tensor DeltaMixed => _deltaMixed.Tensor; // [T, H·V]

    /// <summary>What the latent attention heads read, before the output projection.</summary>
    public Tensor LatentMixed => _latentMixed.Tensor; // [T, H·V]

    public Tensor Logits => _logits.Tensor; // [rows, N]

    /// <summary>Makes room for a step; buffers only grow.</summary>
    public void Reserve(int tokenCount, int logitsRowCount)
    {
        _hidden.Reserve(tokenCount);
        _deltaProjected.Reserve(tokenCount);
        _latentProjected.Reserve(tokenCount);
        _deltaMixed.Reserve(tokenCount);
        _latentMixed.Reserve(tokenCount);
        _logits.Reserve(logitsRowCount);
    }

    public void Dispose()
    {
        _hidden.Dispose();
        _deltaProjected.Dispose();
        _latentProjected.Dispose();
        _deltaMixed.Dispose();
        _latentMixed.Dispose();
        _logits.Dispose();
    }

    private struct Buffer(ComputeBackend backend, int columns) : IDisposable
    {
        private Tensor _tensor = backend.Allocate(1, columns);

        public readonly Tensor Tensor => _tensor;

        public void Reserve(int rows)
        {
            if (_tensor.Shape[0] < rows)
            {
                // The new one first: when memory is short, the old one still serves smaller steps.
                Tensor larger = backend.Allocate(rows, columns);
                _tensor.Dispose();
                _tensor = larger;
            }
        }

        public readonly void Dispose() => _tensor.Dispose();
    }
}
