using KimiLinear.Backends;
using KimiLinear.Caching;
using KimiLinear.Layers;
using KimiLinear.Model;
using KimiLinear.Tensors;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Tests.Model;

/// <summary>A step that fails half way leaves no sequence behind that would go on wrongly.</summary>
public sealed class FailedStepTests
{
    [Theory]
    [MemberData(nameof(Backend.ProductionNames), MemberType = typeof(Backend))]
    public void Forward_AfterAStepFailedInsideTheNetwork_RefusesTheSequenceOnly(string backend)
    {
        using KimiLinearModel model = Backend.Load(Golden.Model("plain"), backend);
        using SequenceState other = model.CreateSequence();
        float[] expected = model.LastLogits(other, 1, 2, 3);
        SequenceState failed = model.CreateSequence();
        model.Forward(failed, [1, 2], []);

        Assert.Throws<TimeoutException>(() =>
            model.Forward([new BatchEntry(failed, new[] { 3 }, LogitsRequest.None)], [], new FailingObserver()));

        Assert.Contains("2 tokens", Assert.Throws<InvalidOperationException>(() => model.Forward(failed, [3], [])).Message);
        Assert.Throws<InvalidOperationException>(() => failed.Fork());
        Assert.Throws<InvalidOperationException>(failed.Save);
        failed.Dispose();
        using SequenceState successor = model.CreateSequence();
        TensorAssert.Identical(model.LastLogits(successor, 1, 2, 3), expected, "successor in the same memory");
        Assert.Equal(2, model.SequenceCount);
    }

    [Fact]
    public void Forward_AfterTheMemoryCouldNotBeCleared_StartsFromClearMemory()
    {
        using KimiLinearModel model = LoadFaulty(out FaultyBackend backend);
        float[] expected;
        using (SequenceState earlier = model.CreateSequence())
        {
            expected = model.LastLogits(earlier, 1, 2, 3);
        }

        using SequenceState sequence = model.CreateSequence();
        backend.ClearFault = () => new TimeoutException();
        Assert.Throws<TimeoutException>(() => model.Forward(sequence, [1], []));
        Assert.Equal(0, model.SequenceCount);
        backend.ClearFault = null;

        TensorAssert.Identical(model.LastLogits(sequence, 1, 2, 3), expected, "second try");
        Assert.Equal(1, model.SequenceCount);
    }

    [Fact]
    public void Restore_FailsHalfWay_RefusesTheSequence()
    {
        using KimiLinearModel model = LoadFaulty(out FaultyBackend backend);
        using SequenceState original = model.CreateSequence();
        model.Forward(original, [1, 2], []);
        using StateSnapshot snapshot = model.Save(original);
        float[] expected = model.LastLogits(original, 3);
        using SequenceState sequence = model.CreateSequence();
        backend.RestorePageFault = () => new TimeoutException();
        Assert.Throws<TimeoutException>(() => model.Restore(sequence, snapshot));
        backend.RestorePageFault = null;

        Assert.Throws<InvalidOperationException>(() => model.Forward(sequence, [1], []));
        Assert.Throws<InvalidOperationException>(() => model.Restore(sequence, snapshot));
        using SequenceState next = model.CreateSequence();
        model.Restore(next, snapshot);
        TensorAssert.Identical(model.LastLogits(next, 3), expected, "restored");
    }

    private static KimiLinearModel LoadFaulty(out FaultyBackend backend)
    {
        FaultyBackend? faulty = null;
        KimiLinearModel model = ModelLoader.Load(
            Golden.Model("plain"),
            new ModelLoadOptions { LatentCache = LatentPrecision.Float32 },
            (config, _) => faulty = new FaultyBackend(Backend.Create(Backend.Default, config, threadCount: 2)),
            null,
            default);
        backend = faulty!;
        return model;
    }

    /// <summary>Fails once the first layer has changed its state.</summary>
    private sealed class FailingObserver : IForwardObserver
    {
        public void OnHidden(int layerIndex, ReadOnlySpan<float> hidden)
        {
            if (layerIndex == 1)
            {
                throw new TimeoutException();
            }
        }

        public void OnRouted(int layerIndex, ReadOnlySpan<int> experts, ReadOnlySpan<float> weights)
        {
        }
    }
}
