using System.Runtime.InteropServices;
using KimiLinear.Backends;
using KimiLinear.Configuration;
using KimiLinear.Tensors;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Kernels.Tests;

/// <summary>Whole operators against the reference backend, over memory that lies as <see cref="CacheLayout"/> says.</summary>
public sealed class OperatorTests
{
    // Both round in float32, in different orders.
    private const double Tolerance = 2e-5;

    private static readonly KimiLinearConfig Config = KimiLinearConfig.Load(Golden.TinyModel);

    [Fact]
    public void KimiDelta_SlotsOfACache_MatchesReference()
    {
        const int Layer = 1;
        int rank = 24;
        int width = Config.DeltaDim;
        int projectedLength = (3 * width) + (2 * rank) + Config.DeltaHeadCount;
        Samples samples = new();
        using StoredWeights stored = new();
        using ReferenceBackend reference = new(Config);
        using TestDevice device = new();
        CacheLayout layout = new(Config);
        using CacheStorage cache = reference.CreateCache(layout);
        float[] slots = samples.Floats(3 * (int)layout.SlotLength);
        for (int slot = 0; slot < 3; slot++)
        {
            cache.AddSlot();
            reference.RestoreSlot(cache, slot, slots.AsSpan(slot * (int)layout.SlotLength, (int)layout.SlotLength));
        }

        float[][] taps = [.. Enumerable.Range(0, 3).Select(_ => samples.Floats(Config.ConvolutionWidth * width))];
        float[] decayLog = samples.Floats(Config.DeltaHeadCount);
        float[] decayBias = samples.Floats(width);
        float[] norm = samples.Norm(Config.DeltaHeadDim);
        ushort[] decayUp = samples.Matrix(width, rank);
        ushort[] gateUp = samples.Matrix(width, rank);
        float[] projected = samples.Floats(3 * projectedLength, 2);
        Tensor unused = reference.Allocate(1, 1);
        KimiDeltaWeights weights = new()
        {
            Norm = unused,
            Projection = unused,
            QueryConvolution = reference.Bind(WeightRole.Convolution, stored.Convolution(taps[0], Config.ConvolutionWidth)),
            KeyConvolution = reference.Bind(WeightRole.Convolution, stored.Convolution(taps[1], Config.ConvolutionWidth)),
            ValueConvolution = reference.Bind(WeightRole.Convolution, stored.Convolution(taps[2], Config.ConvolutionWidth)),
            DecayGateUp = reference.Bind(WeightRole.Projection, stored.Matrix(decayUp, rank)),
            DecayLog = reference.Bind(WeightRole.Vector, stored.Vector(decayLog)),
            DecayBias = reference.Bind(WeightRole.Vector, stored.Vector(decayBias)),
            OutputGateUp = reference.Bind(WeightRole.Projection, stored.Matrix(gateUp, rank)),
            OutputNorm = reference.Bind(WeightRole.Vector, stored.Vector(norm)),
            Output = unused,
        };
        ForwardBatch batch = new();
        batch.Add([1, 2], 2, [], 0, LogitsRequest.None);
        batch.Add([3], 0, [], 0, LogitsRequest.None);
        Tensor expected = reference.Allocate(3, width);
        reference.KimiDelta(weights, Filled(reference, projected, projectedLength), batch, cache, Layer, expected);

        DeviceBuffer slotsBuffer = device.Upload(slots);
        DeviceBuffer output = device.Reserve<float>(3 * width);
        nint Slot(int slot) => slotsBuffer.Address + (slot * (int)layout.SlotLength * sizeof(float));
        long stateOffset = Layer * (layout.StateLength + layout.TailLength);
        KimiDeltaArguments arguments = new()
        {
            Projected = device.Upload(projected).Address,
            QueryTaps = device.Upload(taps[0]).Address,
            KeyTaps = device.Upload(taps[1]).Address,
            ValueTaps = device.Upload(taps[2]).Address,
            DecayUp = device.Upload(decayUp).Address,
            DecayLog = device.Upload(decayLog).Address,
            DecayBias = device.Upload(decayBias).Address,
            GateUp = device.Upload(gateUp).Address,
            Norm = device.Upload(norm).Address,
            Slots = device.Upload(Slot(2), Slot(0)).Address,
            Offsets = device.Upload(0, 2, 3).Address,
            Output = output.Address,
            StateOffset = stateOffset,
            TailOffset = stateOffset + layout.StateLength,
            Heads = Config.DeltaHeadCount,
            HeadDim = Config.DeltaHeadDim,
            Taps = Config.ConvolutionWidth,
            DecayRank = rank,
            GateRank = rank,
            Epsilon = Config.RmsNormEpsilon,
        };
        device.Run(() => device.Kernels.KimiDelta(device.Stream, arguments, 2));

        Exact.AssertClose(Values(reference, expected, 3 * width), output.Read<float>(), Tolerance);
        float[] after = slotsBuffer.Read<float>();
        float[] expectedSlot = new float[layout.SlotLength];
        for (int slot = 0; slot < 3; slot++)
        {
            reference.SaveSlot(cache, slot, expectedSlot);
            Exact.AssertClose(
                [.. expectedSlot.Select(value => (double)value)],
                after[(slot * (int)layout.SlotLength)..((slot + 1) * (int)layout.SlotLength)],
                Tolerance);
        }
    }

    [Theory]
    [InlineData(LatentPrecision.Float32)]
    [InlineData(LatentPrecision.BFloat16)]
    public void LatentAttention_PagesOfACache_MatchesReference(LatentPrecision precision)
    {
        const int Layer = 1;
        const int PageCount = 4;
        int heads = Config.LatentHeadCount;
        int rank = Config.LatentRank;
        int projectedLength = (heads * Config.QkHeadDim) + Config.LatentCacheDim;
        int outputLength = heads * Config.LatentValueDim;
        Samples samples = new();
        using StoredWeights stored = new();
        using ReferenceBackend reference = new(Config);
        using TestDevice device = new();
        CacheLayout layout = new(Config, precision);
        using CacheStorage cache = reference.CreateCache(layout);
        int pageBytes = (int)layout.PageBytes;
        int valueCount = PageCount * pageBytes / (precision == LatentPrecision.Float32 ? sizeof(float) : sizeof(ushort));
        byte[] pages = precision == LatentPrecision.Float32
            ? MemoryMarshal.AsBytes<float>(samples.Floats(valueCount)).ToArray()
            : MemoryMarshal.AsBytes<ushort>(samples.Matrix(valueCount, 1)).ToArray();
        for (int page = 0; page < PageCount; page++)
        {
            cache.AddPage();
            reference.RestorePage(cache, page, pages.AsSpan(page * pageBytes, pageBytes));
        }

        float[] norm = samples.Norm(rank);
        ushort[] keyValueUp = samples.Matrix(heads * (Config.QkNopeHeadDim + Config.LatentValueDim), rank);
        float[] projected = samples.Floats(3 * projectedLength, 2);
        Tensor unused = reference.Allocate(1, 1);
        LatentAttentionWeights weights = new()
        {
            Norm = unused,
            Projection = unused,
            LatentNorm = reference.Bind(WeightRole.Vector, stored.Vector(norm)),
            KeyValueUp = reference.Bind(WeightRole.Projection, stored.Matrix(keyValueUp, rank)),
            Output = unused,
        };
        ForwardBatch batch = new();
        batch.Add([1, 2], 0, [3, 1], 63, LogitsRequest.None);
        batch.Add([3], 1, [0, 2], 90, LogitsRequest.None);
        Tensor expected = reference.Allocate(3, outputLength);
        reference.LatentAttention(weights, Filled(reference, projected, projectedLength), batch, cache, Layer, expected);

        const int Splits = 3;
        DeviceBuffer pageBuffer = device.Upload(pages);
        nint Page(int page) => pageBuffer.Address + (page * pageBytes);
        DeviceBuffer output = device.Reserve<float>(3 * outputLength);
        nint weightAddress = device.Upload(keyValueUp).Address;
        nint queries = device.Reserve<float>(3 * heads * layout.RowLength).Address;
        nint sums = device.Reserve<float>(3 * heads * Splits * rank).Address;
        nint scales = device.Reserve<float>(3 * heads * Splits * 2).Address;
        LatentPages latentPages = new()
        {
            Pages = device.Upload(Page(3), Page(1), Page(0), Page(2)).Address,
            PageStarts = device.Upload(0, 2).Address,
            Sequences = device.Upload(0, 0, 1).Address,
            Positions = device.Upload(63, 64, 90).Address,
            LayerOffset = Layer * layout.LayerPageBytes,
            IsBFloat16 = precision == LatentPrecision.BFloat16 ? 1 : 0,
        };
        LatentPrepareArguments prepare = new()
        {
            Cache = latentPages,
            Projected = device.Upload(projected).Address,
            Norm = device.Upload(norm).Address,
            KeyValueUp = weightAddress,
            Queries = queries,
            Heads = heads,
            KeyDim = Config.QkNopeHeadDim,
            SharedDim = Config.QkRopeHeadDim,
            Rank = rank,
            ValueDim = Config.LatentValueDim,
            Epsilon = Config.RmsNormEpsilon,
        };
        LatentAttendArguments attend = new()
        {
            Cache = latentPages,
            Queries = queries,
            Sums = sums,
            Scales = scales,
            Heads = heads,
            Rank = rank,
            RowLength = layout.RowLength,
        };
        LatentCombineArguments combine = new()
        {
            Sums = sums,
            Scales = scales,
            KeyValueUp = weightAddress,
            Output = output.Address,
            Heads = heads,
            KeyDim = Config.QkNopeHeadDim,
            Rank = rank,
            ValueDim = Config.LatentValueDim,
            Splits = Splits,
        };
        device.Run(() =>
        {
            device.Kernels.LatentPrepare(device.Stream, prepare, 3);
            device.Kernels.LatentAttend(device.Stream, attend, 3, Splits);
            device.Kernels.LatentCombine(device.Stream, combine, 3);
        });

        // A cached value between two of bfloat16 may fall to either.
        double tolerance = precision == LatentPrecision.Float32 ? Tolerance : 1e-3;
        Exact.AssertClose(Values(reference, expected, 3 * outputLength), output.Read<float>(), tolerance);
    }

    [Fact]
    public void SparseMoe_NormRouterExpertsAndShared_MatchesReference()
    {
        const int Tokens = 3;
        int columns = Config.HiddenDim;
        int dim = Config.ExpertDim;
        int count = Config.ExpertCount;
        int active = Config.ActiveExpertCount;
        Samples samples = new();
        using StoredWeights stored = new();
        using ReferenceBackend reference = new(Config);
        using TestDevice device = new();
        float[] norm = samples.Norm(columns);
        float[] bias = samples.Floats(count, 0.1f);
        ushort[] router = samples.Matrix(count, columns);
        ushort[] gateUp = samples.Matrix(count * 2 * dim, columns);
        ushort[] down = samples.Matrix(count * columns, dim);
        ushort[] sharedGateUp = samples.Matrix(2 * Config.SharedExpertDim, columns);
        ushort[] sharedDown = samples.Matrix(columns, Config.SharedExpertDim);
        float[] input = samples.Floats(Tokens * columns, 2);
        SparseMoeWeights weights = new()
        {
            Norm = reference.Bind(WeightRole.Vector, stored.Vector(norm)),
            Router = reference.Bind(WeightRole.Projection, stored.Matrix(router, columns)),
            CorrectionBias = reference.Bind(WeightRole.Vector, stored.Vector(bias)),
            ExpertGateUp = reference.Bind(WeightRole.ExpertGateUp, Parts(stored, gateUp, dim, columns)),
            ExpertDown = reference.Bind(WeightRole.ExpertDown, Parts(stored, down, columns, dim)),
            SharedGateUp = reference.Bind(WeightRole.Projection, stored.Matrix(sharedGateUp, columns)),
            SharedDown = reference.Bind(WeightRole.Projection, stored.Matrix(sharedDown, Config.SharedExpertDim)),
        };
        Tensor expected = Filled(reference, input, columns);
        reference.SparseMoeAdd(weights, Tokens, 1, null, expected);

        DeviceBuffer hidden = device.Upload(input);
        nint normAddress = device.Upload(norm).Address;
        nint logits = device.Reserve<float>(Tokens * count).Address;
        nint experts = device.Reserve<int>(Tokens * active).Address;
        nint expertWeights = device.Reserve<float>(Tokens * active).Address;
        nint activations = device.Reserve<float>(Tokens * ((active * dim) + Config.SharedExpertDim)).Address;
        ProjectArguments project = new()
        {
            Input = hidden.Address,
            Norm = normAddress,
            Weight = new WeightMatrix { Values = device.Upload(router).Address },
            Rows = 0,
            Output = logits,
            Columns = columns,
            Outputs = count,
            OutputStride = count,
            Tokens = Tokens,
            Adds = 0,
            Epsilon = Config.RmsNormEpsilon,
        };
        SelectExpertsArguments select = new()
        {
            Logits = logits,
            Bias = device.Upload(bias).Address,
            Experts = experts,
            Weights = expertWeights,
            ExpertCount = count,
            ActiveCount = active,
            GroupCount = Config.ExpertGroupCount,
            KeptGroupCount = Config.ActiveExpertGroupCount,
            Normalizes = Config.NormalizeRouterWeights ? 1 : 0,
            Scaling = Config.RoutedScalingFactor,
        };
        ExpertGateUpArguments first = new()
        {
            Input = hidden.Address,
            Norm = normAddress,
            GateUp = new WeightMatrix { Values = device.Upload(gateUp).Address },
            SharedGateUp = new WeightMatrix { Values = device.Upload(sharedGateUp).Address },
            Experts = experts,
            Activations = activations,
            Columns = columns,
            ExpertDim = dim,
            SharedDim = Config.SharedExpertDim,
            ActiveCount = active,
            Epsilon = Config.RmsNormEpsilon,
        };
        ExpertDownArguments second = new()
        {
            Activations = activations,
            Experts = experts,
            Weights = expertWeights,
            Down = new WeightMatrix { Values = device.Upload(down).Address },
            SharedDown = new WeightMatrix { Values = device.Upload(sharedDown).Address },
            Hidden = hidden.Address,
            Columns = columns,
            ExpertDim = dim,
            SharedDim = Config.SharedExpertDim,
            ActiveCount = active,
        };
        device.Run(() =>
        {
            device.Kernels.Project(device.Stream, project);
            device.Kernels.SelectExperts(device.Stream, select, Tokens);
            device.Kernels.ExpertGateUp(device.Stream, first, Tokens);
            device.Kernels.ExpertDown(device.Stream, second, Tokens);
        });

        Exact.AssertClose(Values(reference, expected, Tokens * columns), hidden.Read<float>(), Tolerance);
    }

    private static StoredTensor[] Parts(StoredWeights stored, ushort[] values, int rows, int columns) =>
        [.. values.Chunk(rows * columns).Select(part => stored.Matrix(part, columns))];

    private static Tensor Filled(ReferenceBackend backend, float[] values, int columns)
    {
        Tensor tensor = backend.Allocate(values.Length / columns, columns);
        values.CopyTo(((HostBuffer)tensor).Span);
        return tensor;
    }

    private static double[] Values(ReferenceBackend backend, Tensor tensor, int count)
    {
        float[] values = new float[count];
        backend.Download(tensor, values);
        return [.. values.Select(value => (double)value)];
    }
}
