using KimiLinear.Backends;
using KimiLinear.Caching;
using KimiLinear.Configuration;
using KimiLinear.Model;
using KimiLinear.Tensors;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Tests.Model;

/// <summary>The precision of the cached rows, in the whole model.</summary>
public sealed class LatentCacheTests
{
    public static TheoryData<string, LatentPrecision> Cases() =>
        [.. Backend.Available.SelectMany(_ => Enum.GetValues<LatentPrecision>(), (backend, precision) => (backend, precision))
            .Where(pair => Backend.Takes(pair.backend, pair.precision))];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Forward_AnyPrecision_MatchesGoldenWithinIt(string backend, LatentPrecision precision)
    {
        using GoldenExpectation expected = new("plain");
        using KimiLinearModel model = Load(backend, precision);
        int[] ids = ModelCases.Input(expected, backend);

        float[] logits = model.EveryLogits(ids);

        double tolerance = precision == LatentPrecision.BFloat16 ? 4e-3 : 2e-4;
        TensorAssert.Close(logits, expected.Logits.AsSpan(0, logits.Length), tolerance, precision.ToString());
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void ForkAndRestore_AnyPrecision_ContinueAsUninterrupted(string backend, LatentPrecision precision)
    {
        using GoldenExpectation golden = new("plain");
        using KimiLinearModel model = Load(backend, precision);
        using SequenceState original = model.CreateSequence();
        model.Forward(original, golden.InputIds.AsSpan(0, 66), []);
        using SequenceState fork = original.Fork();
        using StateSnapshot snapshot = original.Save();
        using SequenceState restored = model.CreateSequence();
        restored.Restore(snapshot);

        float[] uninterrupted = model.Decode(original, 1, 2, 3);

        TensorAssert.Identical(model.Decode(fork, 1, 2, 3), uninterrupted, "fork");
        TensorAssert.Identical(model.Decode(restored, 1, 2, 3), uninterrupted, "restored");
    }

    [Fact]
    public void LatentCache_HalfPrecision_TakesHalfTheMemory()
    {
        CacheLayout single = new(Configuration48B());
        CacheLayout half = new(Configuration48B(), LatentPrecision.BFloat16);
        CacheLayout integers = new(Configuration48B(), LatentPrecision.Int16);

        Assert.Equal(16_128 * CacheLayout.PageTokens, single.PageBytes);
        Assert.Equal(8_064 * CacheLayout.PageTokens, half.PageBytes);
        Assert.Equal((8_064 + (7 * 8)) * CacheLayout.PageTokens, integers.PageBytes);
    }

    [Fact]
    public void LatentCache_UnknownValue_Throws() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new ModelLoadOptions { LatentCache = (LatentPrecision)3 });

    private static KimiLinearModel Load(string backend, LatentPrecision precision) => ModelLoader.Load(
        Golden.Model("plain"),
        new ModelLoadOptions { LatentCache = precision },
        (config, _) => Backend.Create(backend, config, 2),
        null,
        default);

    private static KimiLinearConfig Configuration48B() =>
        KimiLinearConfig.Load(Golden.Model("plain")) with
        {
            LayerKinds = [.. Enumerable.Repeat(LayerKind.Latent, 7)],
            LatentRank = 512,
            QkRopeHeadDim = 64,
        };
}
