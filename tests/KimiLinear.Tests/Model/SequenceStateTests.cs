using KimiLinear.Caching;
using KimiLinear.Model;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Tests.Model;

/// <summary>A sequence copied, or saved and restored, goes on as if nothing had happened.</summary>
public sealed class SequenceStateTests
{
    private const int ContinuationLength = 20;

    // Nothing, less than the convolution's width, and around one page.
    private static readonly int[] Points = [0, 1, 63, 64, 65, 100];

    public static TheoryData<string, string> Cases() =>
    [
        .. Backend.Available.Select(backend => ("plain", backend)),
        .. Backend.Production.Select(backend => ("strong-decay", backend)),
    ];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Fork_AtAnyPoint_BothContinueAsUninterrupted(string modelName, string backend)
    {
        using GoldenExpectation golden = new(modelName);
        using KimiLinearModel model = Backend.Load(Golden.Model(modelName), backend);
        int[] other = ModelCases.Repeat(golden.InputIds, 41, ContinuationLength);
        foreach (int point in PointsFor(backend))
        {
            (float[] uninterrupted, float[] otherUninterrupted) = (Run(model, golden, point), Run(model, golden, point, other));
            using SequenceState original = Prefill(model, golden, point);
            using SequenceState fork = original.Fork();

            float[] forkLogits = Continue(model, fork, other);
            float[] logits = Continue(model, original, Continuation(golden, point));

            Assert.Equal(original.Length, fork.Length);
            TensorAssert.Identical(forkLogits, otherUninterrupted, $"fork at {point}");
            TensorAssert.Identical(logits, uninterrupted, $"original forked at {point}");
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Fork_OriginalDisposedAndItsMemoryReused_ContinuesAsUninterrupted(string modelName, string backend)
    {
        using GoldenExpectation golden = new(modelName);
        using KimiLinearModel model = Backend.Load(Golden.Model(modelName), backend);
        foreach (int point in PointsFor(backend))
        {
            float[] uninterrupted = Run(model, golden, point);
            SequenceState original = Prefill(model, golden, point);
            using SequenceState fork = original.Fork();
            original.Dispose();
            using SequenceState newcomer = model.CreateSequence();
            model.Forward(newcomer, ModelCases.Repeat(golden.InputIds, 13, 130), []);

            float[] logits = Continue(model, fork, Continuation(golden, point));

            TensorAssert.Identical(logits, uninterrupted, $"fork at {point}");
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Restore_AtAnyPoint_ContinuesAsUninterrupted(string modelName, string backend)
    {
        using GoldenExpectation golden = new(modelName);
        using KimiLinearModel model = Backend.Load(Golden.Model(modelName), backend);
        foreach (int point in PointsFor(backend))
        {
            float[] uninterrupted = Run(model, golden, point);
            SequenceState original = Prefill(model, golden, point);
            using StateSnapshot snapshot = original.Save();

            float[] logits = Continue(model, original, Continuation(golden, point));
            original.Dispose();
            using SequenceState first = model.CreateSequence();
            using SequenceState second = model.CreateSequence();
            first.Restore(snapshot);
            float[] firstLogits = Continue(model, first, Continuation(golden, point));
            second.Restore(snapshot);
            float[] secondLogits = Continue(model, second, Continuation(golden, point));

            Assert.Equal(point, snapshot.Length);
            TensorAssert.Identical(logits, uninterrupted, $"original saved at {point}");
            TensorAssert.Identical(firstLogits, uninterrupted, $"restored at {point}");
            TensorAssert.Identical(secondLogits, uninterrupted, $"restored again at {point}");
        }
    }

    [Theory]
    [MemberData(nameof(Backend.Names), MemberType = typeof(Backend))]
    public void Save_OfRestored_HasTheSameValues(string backend)
    {
        using GoldenExpectation golden = new("plain");
        using KimiLinearModel model = Backend.Load(Golden.Model("plain"), backend);
        using SequenceState original = Prefill(model, golden, 64);
        using SequenceState copy = model.CreateSequence();

        using StateSnapshot saved = original.Save();
        copy.Restore(saved);
        using StateSnapshot savedAgain = copy.Save();

        Assert.Equal(1, saved.PageCount);
        Assert.Equal(saved.ByteCount, savedAgain.ByteCount);
        TensorAssert.Identical(savedAgain.Slot, saved.Slot, "fixed part");
        Assert.Equal(saved.Page(0), savedAgain.Page(0));
    }

    [Theory]
    [MemberData(nameof(Backend.Names), MemberType = typeof(Backend))]
    public void Restore_ToAnotherModelOfTheSameWeights_ContinuesAsUninterrupted(string backend)
    {
        using GoldenExpectation golden = new("plain");
        using KimiLinearModel model = Backend.Load(Golden.Model("plain"), backend);
        using KimiLinearModel other = Backend.Load(Golden.Model("plain"), backend);
        using SequenceState original = Prefill(model, golden, 65);
        using SequenceState moved = other.CreateSequence();

        using StateSnapshot snapshot = original.Save();
        moved.Restore(snapshot);

        TensorAssert.Identical(
            Continue(other, moved, Continuation(golden, 65)), Continue(model, original, Continuation(golden, 65)), "moved");
    }

    [Theory]
    [MemberData(nameof(Backend.Names), MemberType = typeof(Backend))]
    public void Dispose_OfSequence_GivesItsMemoryToACleanSuccessor(string backend)
    {
        using GoldenExpectation golden = new("plain");
        using KimiLinearModel model = Backend.Load(Golden.Model("plain"), backend);
        int[] ids = golden.InputIds[..10];
        float[] fresh = model.EveryLogits(ids);
        using (Prefill(model, golden, 66))
        {
            Assert.Equal(1, model.SequenceCount);
        }

        long held = model.SequenceMemoryBytes;
        float[] reused = model.EveryLogits(ids);

        Assert.Equal(0, model.SequenceCount);
        Assert.Equal(held, model.SequenceMemoryBytes);
        TensorAssert.Identical(reused, fresh, "logits");
    }

    [Fact]
    public void Dispose_Twice_ReturnsTheMemoryOnce()
    {
        using KimiLinearModel model = Backend.Load(Golden.Model("no-shared"), Backend.Default);
        SequenceState sequence = model.CreateSequence();
        model.Forward(sequence, [1], []);
        float[] expected = model.LastLogits(sequence, 3);

        sequence.Dispose();
        sequence.Dispose();

        Assert.Equal(0, model.SequenceCount);
        Assert.Throws<ObjectDisposedException>(() => sequence.Fork());
        Assert.Throws<ObjectDisposedException>(() => sequence.Save());
        using SequenceState first = model.CreateSequence();
        using SequenceState second = model.CreateSequence();
        model.Forward(first, [1], []);
        model.Forward(second, [2], []);
        TensorAssert.Identical(model.LastLogits(first, 3), expected, "logits");
    }

    private static int[] PointsFor(string backend) => backend == Backend.Reference ? [0, 1, 64, 65] : Points;

    private static int[] Continuation(GoldenExpectation golden, int point) =>
        ModelCases.Repeat(golden.InputIds, point, ContinuationLength);

    private static float[] Run(KimiLinearModel model, GoldenExpectation golden, int point, int[]? continuation = null)
    {
        using SequenceState sequence = Prefill(model, golden, point);
        return Continue(model, sequence, continuation ?? Continuation(golden, point));
    }

    private static SequenceState Prefill(KimiLinearModel model, GoldenExpectation golden, int point)
    {
        SequenceState sequence = model.CreateSequence();
        if (point > 0)
        {
            model.Forward(sequence, golden.InputIds.AsSpan(0, point), []);
        }

        return sequence;
    }

    // A piece first, then single tokens.
    private static float[] Continue(KimiLinearModel model, SequenceState sequence, int[] ids)
    {
        float[] piece = model.EveryLogits(sequence, ids[..^3], ids.Length);
        return [.. piece, .. model.Decode(sequence, ids[^3..])];
    }
}
