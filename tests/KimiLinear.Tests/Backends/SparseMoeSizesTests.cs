using KimiLinear.Backends;
using KimiLinear.Configuration;
using KimiLinear.Tensors;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Tests.Backends;

/// <summary>
/// Experts with sizes that are no multiple of any vector or tile, and numbers of tokens around those that change how they run.
/// </summary>
public sealed class SparseMoeSizesTests
{
    private const double Tolerance = 5e-6;

    private static readonly int[] TokenCounts = [2, WeightPanel.MinInputRows - 1, WeightPanel.MinInputRows, 33];

    public static TheoryData<string, bool, int> Cases() =>
    [
        .. from backend in Backend.Production
           from hasShared in (bool[])[true, false]
           from hiddenDim in (int[])[5, 40, 67]
           select (backend, hasShared, hiddenDim),
    ];

    [Theory]
    [MemberData(nameof(Cases))]
    public void SparseMoeAdd_AnyNumberOfTokensOnAnyThreads_BitsOfEachTokenAlone(string backend, bool hasShared, int hiddenDim)
    {
        KimiLinearConfig config = ConfigOf(hiddenDim);
        float[] input = Kernels.Random(new Random(3), TokenCounts.Max() * hiddenDim);
        float[] alone = [.. input.Chunk(hiddenDim).SelectMany(token => Run(backend, config, threads: 1, hasShared, token))];
        float[] reference = Run(Backend.Reference, config, threads: 1, hasShared, input);
        TensorAssert.Close(alone, reference, Tolerance, "each token alone");

        foreach (int threads in (int[])[1, 2, 3, 8])
        {
            foreach (int tokenCount in TokenCounts)
            {
                int length = tokenCount * hiddenDim;

                float[] together = Run(backend, config, threads, hasShared, input[..length]);

                TensorAssert.Identical(together, alone.AsSpan(0, length), $"{tokenCount} tokens, {threads} threads");
            }
        }
    }

    private static KimiLinearConfig ConfigOf(int hiddenDim) => KimiLinearConfig.Load(Golden.Model("plain")) with
    {
        HiddenDim = hiddenDim,
        ExpertDim = 24,
        ExpertCount = 6,
        ActiveExpertCount = 3,
        ExpertGroupCount = 1,
        ActiveExpertGroupCount = 1,
    };

    // The residual stream behind the layer.
    private static float[] Run(string name, KimiLinearConfig config, int threads, bool hasShared, float[] input)
    {
        using ComputeBackend backend = Backend.Create(name, config, threads);
        using GuardedWeights weights = new(backend, new Random(11));
        SparseMoeWeights layer = new()
        {
            Norm = weights.Vector(config.HiddenDim),
            Router = weights.Matrix(config.ExpertCount, config.HiddenDim),
            CorrectionBias = weights.Vector(config.ExpertCount),
            ExpertGateUp = weights.Experts(
                WeightRole.ExpertGateUp, 2 * config.ExpertCount, config.ExpertDim, config.HiddenDim),
            ExpertDown = weights.Experts(WeightRole.ExpertDown, config.ExpertCount, config.HiddenDim, config.ExpertDim),
            SharedGateUp = hasShared ? weights.Matrix(2 * config.ExpertDim, config.HiddenDim) : null,
            SharedDown = hasShared ? weights.Matrix(config.HiddenDim, config.ExpertDim) : null,
        };
        int tokenCount = input.Length / config.HiddenDim;
        using Tensor hidden = backend.Allocate(tokenCount, config.HiddenDim);
        input.CopyTo(((HostBuffer)hidden).Span);
        backend.SparseMoeAdd(layer, tokenCount, 0, null, hidden);
        return ((HostBuffer)hidden).Span.ToArray();
    }
}
