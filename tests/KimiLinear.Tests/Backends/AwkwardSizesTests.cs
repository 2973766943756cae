using KimiLinear.Backends;
using KimiLinear.Configuration;
using KimiLinear.Tensors;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Tests.Backends;

/// <summary>Attention with sizes that are no multiple of any vector, and with more threads than heads.</summary>
public sealed class AwkwardSizesTests
{
    private const double Tolerance = 5e-6;

    // A value between two stored ones may fall to either, after sums that end in other bits.
    private const double StoredTolerance = 5e-5;

    private static readonly KimiLinearConfig Config = KimiLinearConfig.Load(Golden.Model("plain")) with
    {
        DeltaHeadCount = 3,
        DeltaHeadDim = 12,
        LatentHeadCount = 3,
        LatentRank = 21,
        QkNopeHeadDim = 12,
        QkRopeHeadDim = 5,
        LatentValueDim = 7,
    };

    public static TheoryData<string, int> Cases() =>
        [.. Backend.Production.SelectMany(backend => (int[])[1, 2, 5], (backend, threads) => (backend, threads))];

    public static TheoryData<string> Backends() => [.. Backend.Production];

    public static TheoryData<string, LatentPrecision> PrecisionCases() =>
        [.. Backend.Production.SelectMany(_ => Enum.GetValues<LatentPrecision>(), (backend, precision) => (backend, precision))];

    [Theory]
    [MemberData(nameof(Cases))]
    public void LatentAttention_SeveralSteps_MatchesReference(string backend, int threads)
    {
        using ComputeBackend fast = Backend.Create(backend, Config, threads);
        using ComputeBackend plain = Backend.Create(Backend.Reference, Config, 1);

        List<float[]> actual = RunLatent(fast, [70, 1, 2, 130, 1]);
        List<float[]> expected = RunLatent(plain, [70, 1, 2, 130, 1]);

        for (int i = 0; i < expected.Count; i++)
        {
            TensorAssert.Close(actual[i], expected[i], Backend.Tolerance(backend, Tolerance), $"step {i}");
        }
    }

    [Theory]
    [MemberData(nameof(PrecisionCases))]
    public void LatentAttention_AnyPrecision_MatchesReference(string backend, LatentPrecision precision)
    {
        using ComputeBackend fast = Backend.Create(backend, Config, 2);
        using ComputeBackend plain = Backend.Create(Backend.Reference, Config, 1);

        List<float[]> actual = RunLatent(fast, [70, 1, 2, 130, 1], precision);
        List<float[]> expected = RunLatent(plain, [70, 1, 2, 130, 1], precision);

        for (int i = 0; i < expected.Count; i++)
        {
            TensorAssert.Close(actual[i], expected[i], Backend.Tolerance(backend, StoredTolerance), $"step {i}");
        }
    }

    [Theory]
    [MemberData(nameof(PrecisionCases))]
    public void LatentAttention_ManyPagesOnAnyThreads_SameBits(string backend, LatentPrecision precision) =>
        AssertSameBitsOnAnyThreads(backend, Config, [1200, 1, 3, 1], precision);

    [Theory]
    [MemberData(nameof(PrecisionCases))]
    public void LatentAttention_ManyHeadsOnFewPagesOnAnyThreads_SameBits(string backend, LatentPrecision precision) =>
        AssertSameBitsOnAnyThreads(backend, Config with { LatentHeadCount = 40 }, [70, 1, 3, 1], precision);

    [Theory]
    [MemberData(nameof(Cases))]
    public void KimiDelta_SeveralSteps_MatchesReference(string backend, int threads)
    {
        using ComputeBackend fast = Backend.Create(backend, Config, threads);
        using ComputeBackend plain = Backend.Create(Backend.Reference, Config, 1);

        float[] actual = RunDelta(fast, [1, 2, 70, 1, 64]);
        float[] expected = RunDelta(plain, [1, 2, 70, 1, 64]);

        TensorAssert.Close(actual, expected, Tolerance, "all steps");
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void KimiDelta_CutAnywhere_SameBits(string backend, int threads)
    {
        using ComputeBackend fast = Backend.Create(backend, Config, threads);
        if (backend == Backend.Chunked)
        {
            // Its sums begin anew with every chunk.
            TensorAssert.Close(RunDelta(fast, [1, 2, 3, 5]), RunDelta(fast, [11]), Tolerance, "pieces");
            return;
        }

        float[] whole = RunDelta(fast, [11]);

        TensorAssert.Identical(RunDelta(fast, [1, 2, 3, 5]), whole, "pieces");
        TensorAssert.Identical(RunDelta(fast, [.. Enumerable.Repeat(1, 11)]), whole, "token by token");
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void KimiDelta_SeveralSequencesOnAnyThreads_SameBits(string backend)
    {
        KimiLinearConfig config = Config with { DeltaHeadCount = 19 };
        using ComputeBackend single = Backend.Create(backend, config, 1);
        float[] alone = RunDelta(single, [1]);
        float[] expected = RunSequences(single);

        for (int threads = 2; threads <= 8; threads++)
        {
            using ComputeBackend several = Backend.Create(backend, config, threads);

            TensorAssert.Identical(RunDelta(several, [1]), alone, $"one token, {threads} threads");
            TensorAssert.Identical(RunSequences(several), expected, $"{threads} threads");
        }

        static float[] RunSequences(ComputeBackend backend) =>
            [.. RunDelta(backend, [1, 70, 3, 130, 2], areSequences: true), .. RunDelta(backend, [1, 1, 1], areSequences: true)];
    }

    private static void AssertSameBitsOnAnyThreads(
        string backend, KimiLinearConfig config, int[] steps, LatentPrecision precision)
    {
        using ComputeBackend single = Backend.Create(backend, config, 1);
        List<float[]> expected = RunLatent(single, steps, precision);
        for (int threads = 2; threads <= 8; threads++)
        {
            using ComputeBackend several = Backend.Create(backend, config, threads);
            List<float[]> actual = RunLatent(several, steps, precision);
            for (int i = 0; i < expected.Count; i++)
            {
                TensorAssert.Identical(actual[i], expected[i], $"step {i}, {threads} threads");
            }
        }
    }

    private static List<float[]> RunLatent(
        ComputeBackend backend, int[] stepLengths, LatentPrecision precision = LatentPrecision.Float32)
    {
        KimiLinearConfig config = backend.Config;
        Random random = new(7);
        using GuardedWeights weights = new(backend, random);
        int projectionDim = (config.LatentHeadCount * config.QkHeadDim) + config.LatentCacheDim;
        LatentAttentionWeights layer = new()
        {
            Norm = weights.Vector(1),
            Projection = weights.Matrix(projectionDim, 1),
            LatentNorm = weights.Vector(config.LatentRank),
            KeyValueUp = weights.Matrix(
                config.LatentHeadCount * (config.QkNopeHeadDim + config.LatentValueDim), config.LatentRank),
            Output = weights.Matrix(1, 1),
        };
        using CacheStorage cache = backend.CreateCache(new CacheLayout(config, precision));
        int[] pages = [.. Enumerable.Range(0, CacheLayout.PagesFor(stepLengths.Sum())).Select(_ => cache.AddPage()).Reverse()];
        List<float[]> outputs = [];
        int cached = 0;
        foreach (int length in stepLengths)
        {
            using Tensor projected = backend.Allocate(length, projectionDim);
            using Tensor output = backend.Allocate(length, config.LatentHeadCount * config.LatentValueDim);
            Kernels.Random(random, length * projectionDim, 3).CopyTo(((HostBuffer)projected).Span);
            ForwardBatch batch = new();
            batch.Add(new int[length], 0, pages, cached, LogitsRequest.None);
            backend.LatentAttention(layer, projected, batch, cache, 0, output);
            outputs.Add(((HostBuffer)output).Span.ToArray());
            cached += length;
        }

        return outputs;
    }

    // Steps of one sequence, or one step of several sequences.
    private static float[] RunDelta(ComputeBackend backend, int[] lengths, bool areSequences = false)
    {
        KimiLinearConfig config = backend.Config;
        const int DecayRank = 5;
        const int GateRank = 6;
        Random random = new(8);
        using GuardedWeights weights = new(backend, random);
        int projectionDim = (3 * config.DeltaDim) + DecayRank + GateRank + config.DeltaHeadCount;
        KimiDeltaWeights layer = new()
        {
            Norm = weights.Vector(1),
            Projection = weights.Matrix(projectionDim, 1),
            QueryConvolution = weights.Convolution(),
            KeyConvolution = weights.Convolution(),
            ValueConvolution = weights.Convolution(),
            DecayGateUp = weights.Matrix(config.DeltaDim, DecayRank),
            DecayLog = weights.Vector(config.DeltaHeadCount),
            DecayBias = weights.Vector(config.DeltaDim),
            OutputGateUp = weights.Matrix(config.DeltaDim, GateRank),
            OutputNorm = weights.Vector(config.DeltaHeadDim),
            Output = weights.Matrix(1, 1),
        };
        using CacheStorage cache = backend.CreateCache(new CacheLayout(config));
        int[] slots = [.. lengths.Select(_ => cache.AddSlot())];
        Array.ForEach(slots, slot => backend.ClearSlot(cache, slot));
        List<float> outputs = [];
        foreach (int[] step in areSequences ? [lengths] : lengths.Select(length => (int[])[length]))
        {
            int tokenCount = step.Sum();
            using Tensor projected = backend.Allocate(tokenCount, projectionDim);
            using Tensor output = backend.Allocate(tokenCount, config.DeltaDim);
            Kernels.Random(random, tokenCount * projectionDim, 2).CopyTo(((HostBuffer)projected).Span);
            ForwardBatch batch = new();
            int cached = areSequences ? 0 : outputs.Count / config.DeltaDim;
            for (int i = 0; i < step.Length; i++)
            {
                batch.Add(new int[step[i]], slots[i], [], cached, LogitsRequest.None);
            }

            backend.KimiDelta(layer, projected, batch, cache, 0, output);
            outputs.AddRange(((HostBuffer)output).Span);
        }

        return [.. outputs];
    }
}
