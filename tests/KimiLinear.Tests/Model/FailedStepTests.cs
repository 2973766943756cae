using KimiLinear.Backends;
using KimiLinear.Caching;
using KimiLinear.Layers;
using KimiLinear.Model;
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
        Assert.Throws<InvalidOperationException>(failed.Fork);
        Assert.Throws<InvalidOperationException>(failed.Save);
        failed.Dispose();
        using SequenceState successor = model.CreateSequence();
        TensorAssert.Identical(model.LastLogits(successor, 1, 2, 3), expected, "successor in the same memory");
        Assert.Equal(2, model.SequenceCount);
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
