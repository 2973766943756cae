using KimiLinear.Configuration;
using KimiLinear.Tensors;
using TorchSharp;
using F = TorchSharp.torch.nn.functional;

namespace KimiLinear.Backends;

/// <summary>The operators on TorchSharp tensors, on the CPU or a CUDA device.</summary>
/// <remarks>
/// Matrices lie on the device as they are stored and are widened when they are multiplied: all arithmetic is float32, and so are
/// the residual stream, states and, unless the cache says otherwise, latent rows. Rounding the inputs or the results of products
/// to single bfloat16 numbers instead moves the logits of the golden checkpoints by 1 to 12 %, mostly because experts change
/// places; <see cref="TorchFactors.BFloat16Pairs"/> does not.
/// <see cref="TorchRuntime.Load"/> must have succeeded before this type is used.
/// </remarks>
internal sealed partial class TorchBackend : ComputeBackend
{
    private readonly torch.Device _device;
    private readonly TorchForms _forms;
    private readonly TorchProducts _products;
    private readonly TorchDelta _delta;
    private readonly Scalar _normEpsilon;
    private readonly Scalar _deltaQueryScale;
    private readonly Scalar _latentScale;

    public TorchBackend(KimiLinearConfig config, torch.Device device, TorchForms forms)
        : base(config)
    {
        _device = device;
        _forms = forms;
        _products = new TorchProducts(forms.Factors);
        _delta = new TorchDelta(_products);
        _normEpsilon = config.RmsNormEpsilon;
        _deltaQueryScale = 1f / MathF.Sqrt(config.DeltaHeadDim);
        _latentScale = 1f / MathF.Sqrt(config.QkHeadDim);
    }

    public override string Description => $"torch {_device}";

    public override Tensor Bind(WeightRole role, params ReadOnlySpan<StoredTensor> parts)
    {
        if (role is WeightRole.Vector or WeightRole.Convolution)
        {
            return BindVector(role, parts[0]);
        }

        long columns = parts[0].Shape[1];
        long rows = 0;
        foreach (StoredTensor part in parts)
        {
            rows += part.Shape[0];
        }

        torch.Tensor matrix = TorchWeights.Load(parts, rows, columns, _device);
        int experts = role switch
        {
            WeightRole.ExpertGateUp => parts.Length / 2,
            WeightRole.ExpertDown => parts.Length,
            _ => 0,
        };
        return experts == 0
            ? Wrap(matrix, parts[0].DataType, rows, columns)
            : Wrap(matrix.view(experts, rows / experts, columns), parts[0].DataType, experts, rows / experts, columns);
    }

    public override Tensor Allocate(long rows, long columns) =>
        Wrap(
            TorchOutOfMemory.Explain("activations", () => torch.empty(rows, columns, torch.float32, _device)),
            DataType.Float32,
            rows,
            columns);

    public override CacheStorage CreateCache(CacheLayout layout) => new TorchCache(layout, _device);

    public override void Run(ForwardBatch batch, CacheStorage cache, bool isObserved, Action operators) =>
        TorchOutOfMemory.Explain("the values between operators", () =>
        {
            operators();
            return true;
        });

    public override void Embed(Tensor embedding, ForwardBatch batch, Tensor hidden)
    {
        using DisposeScope scope = torch.NewDisposeScope();
        torch.Tensor rows = TorchTensor.Of(embedding).index_select(0, Indices(batch.TokenIds));
        TorchTensor.Rows(hidden, batch.TokenCount).copy_(rows);
    }

    public override void NormProject(Tensor hidden, Tensor norm, Tensor weight, int tokenCount, Tensor projected)
    {
        using DisposeScope scope = torch.NewDisposeScope();
        torch.Tensor normed = RmsNorm(TorchTensor.Rows(hidden, tokenCount), TorchTensor.Of(norm));
        TorchTensor.Rows(projected, tokenCount).copy_(_products.Project(normed, TorchTensor.Of(weight)));
    }

    public override void ProjectAdd(Tensor input, Tensor weight, int tokenCount, Tensor hidden)
    {
        using DisposeScope scope = torch.NewDisposeScope();
        TorchTensor.Rows(hidden, tokenCount).Increase(_products.Project(TorchTensor.Rows(input, tokenCount), TorchTensor.Of(weight)));
    }

    public override void DenseMlpAdd(DenseMlpWeights weights, int tokenCount, Tensor hidden)
    {
        using DisposeScope scope = torch.NewDisposeScope();
        torch.Tensor rows = TorchTensor.Rows(hidden, tokenCount);
        torch.Tensor normed = RmsNorm(rows, TorchTensor.Of(weights.Norm));
        rows.Increase(GatedMlp(normed, TorchTensor.Of(weights.GateUp), TorchTensor.Of(weights.Down)));
    }

    public override void Logits(Tensor hidden, Tensor norm, Tensor head, ForwardBatch batch, Tensor logits)
    {
        using DisposeScope scope = torch.NewDisposeScope();
        torch.Tensor rows = TorchTensor.Of(hidden).index_select(0, Indices(batch.LogitsRows));
        torch.Tensor normed = RmsNorm(rows, TorchTensor.Of(norm));
        TorchTensor.Rows(logits, batch.LogitsRowCount).copy_(_products.Project(normed, TorchTensor.Of(head)));
    }

    public override void Download(Tensor source, Span<float> destination)
    {
        using torch.Tensor values = TorchTensor.Of(source).view(-1);
        using torch.Tensor first = values.narrow(0, 0, destination.Length);
        TorchMemory.Read(first, destination);
    }

    public override void Upload(ReadOnlySpan<float> source, Tensor destination)
    {
        using torch.Tensor values = TorchTensor.Of(destination).view(-1);
        using torch.Tensor first = values.narrow(0, 0, source.Length);
        TorchMemory.Write(source, first);
    }

    public override void ClearSlot(CacheStorage cache, int slot)
    {
        using DisposeScope scope = torch.NewDisposeScope();
        ((TorchCache)cache).Slot(slot).zero_();
    }

    public override void CopySlot(CacheStorage cache, int fromSlot, int toSlot)
    {
        using DisposeScope scope = torch.NewDisposeScope();
        ((TorchCache)cache).Slot(toSlot).copy_(((TorchCache)cache).Slot(fromSlot));
    }

    public override void CopyPage(CacheStorage cache, int fromPage, int toPage)
    {
        using DisposeScope scope = torch.NewDisposeScope();
        for (int layer = 0; layer < cache.Layout.LatentLayerCount; layer++)
        {
            Page(cache, layer, toPage).copy_(Page(cache, layer, fromPage));
        }
    }

    public override void SaveSlot(CacheStorage cache, int slot, Span<float> destination) =>
        TorchMemory.Read(((TorchCache)cache).Slot(slot), destination);

    public override void RestoreSlot(CacheStorage cache, int slot, ReadOnlySpan<float> source) =>
        TorchMemory.Write(source, ((TorchCache)cache).Slot(slot));

    public override void SavePage(CacheStorage cache, int page, Span<byte> destination)
    {
        using DisposeScope scope = torch.NewDisposeScope();
        int bytes = (int)cache.Layout.LayerPageBytes;
        for (int layer = 0; layer < cache.Layout.LatentLayerCount; layer++)
        {
            TorchMemory.Read(Page(cache, layer, page), destination.Slice(layer * bytes, bytes));
        }
    }

    public override void RestorePage(CacheStorage cache, int page, ReadOnlySpan<byte> source)
    {
        using DisposeScope scope = torch.NewDisposeScope();
        int bytes = (int)cache.Layout.LayerPageBytes;
        for (int layer = 0; layer < cache.Layout.LatentLayerCount; layer++)
        {
            TorchMemory.Write(source.Slice(layer * bytes, bytes), Page(cache, layer, page));
        }
    }

    public override void Dispose()
    {
        // Weights, buffers and caches are owned by those who asked for them.
    }

    private static torch.Tensor Page(CacheStorage cache, int layer, int page) =>
        ((TorchCache)cache).Pages(layer).select(0, page);

    private TorchTensor Wrap(torch.Tensor value, DataType stored, params ReadOnlySpan<long> lengths) =>
        new(this, stored, new Shape(lengths), value);

    // Vectors may come in any shape and are read in order; convolutions are stored [C, 1, W] and wanted tap by tap.
    private TorchTensor BindVector(WeightRole role, StoredTensor stored)
    {
        long last = stored.Shape.Rank == 0 ? 1 : stored.Shape[stored.Shape.Rank - 1];
        long rows = last == 0 ? 0 : stored.Shape.ElementCount / last;
        float[] values = new float[stored.Shape.ElementCount];
        StoredValues.CopyTo(stored, values);
        using torch.Tensor inFileOrder = torch.tensor(values, [rows, last]);
        if (role == WeightRole.Convolution)
        {
            using torch.Tensor transposed = inFileOrder.view(-1, Config.ConvolutionWidth).t().contiguous();
            return Wrap(transposed.to(_device, copy: true), DataType.Float32, Config.ConvolutionWidth, rows);
        }

        return Wrap(inFileOrder.to(_device, copy: true), DataType.Float32, rows, last);
    }

    private torch.Tensor Indices(ReadOnlySpan<int> values)
    {
        long[] indices = new long[values.Length];
        for (int i = 0; i < values.Length; i++)
        {
            indices[i] = values[i];
        }

        return torch.tensor(indices, device: _device);
    }

    // y_i = w_i · x_i / sqrt(mean x² + ε), over the last axis
    private torch.Tensor RmsNorm(torch.Tensor x, torch.Tensor weight)
    {
        torch.Tensor meanSquare = x.Square().mean([-1], keepdim: true);
        return x.mul(meanSquare.add(_normEpsilon, TorchArithmetic.One).rsqrt()).mul(weight.view(-1));
    }

    // W_down (SiLU(W_gate x) ⊙ W_up x)
    private torch.Tensor GatedMlp(torch.Tensor x, torch.Tensor gateUp, torch.Tensor down)
    {
        torch.Tensor both = _products.Project(x, gateUp);
        long width = both.shape[^1] / 2;
        torch.Tensor inner = F.silu(both.narrow(-1, 0, width)).mul(both.narrow(-1, width, width));
        return _products.Project(inner, down);
    }
}
