using KimiLinear.Backends;
using KimiLinear.Caching;
using KimiLinear.Checkpoints;
using KimiLinear.Model;
using KimiLinear.Tensors;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Tests.Model;

/// <summary>New memory full of NaN changes no result: nothing is read that was not written.</summary>
[Collection(ProcessWide.Name)]
public sealed class PoisonedMemoryTests : IDisposable
{
    private const double Tolerance = 2e-4;

    public PoisonedMemoryTests() => NativeBuffer.PoisonsNewMemory = true;

    public void Dispose() => NativeBuffer.PoisonsNewMemory = false;

    [Fact]
    public unsafe void PoisonsNewMemory_On_FillsBuffersWithNaN()
    {
        using NativeBuffer buffer = new(64);

        Assert.All(new ReadOnlySpan<float>(buffer.Data, 16).ToArray(), value => Assert.True(float.IsNaN(value)));
    }

    [Theory]
    [MemberData(nameof(ModelCases.All), MemberType = typeof(ModelCases))]
    public void Forward_PoisonedMemory_MatchesGolden(string modelName, string backend)
    {
        using GoldenExpectation expected = new(modelName);
        using KimiLinearModel model = Backend.Load(Golden.Model(modelName), backend);
        int width = model.Config.VocabularySize;
        int[] ids = ModelCases.Input(expected, backend);
        float[] golden = expected.Logits[..(ids.Length * width)];
        using SequenceState cut = model.CreateSequence();

        float[] cutLogits = model.EveryLogits(cut, ids, 13);
        float[] wholeLogits = model.EveryLogits(ids);

        TensorAssert.Close(cutLogits, golden, Tolerance, "pieces of 13");
        TensorAssert.Close(wholeLogits, golden, Tolerance, "whole");
    }

    [Theory]
    [MemberData(nameof(ModelCases.All), MemberType = typeof(ModelCases))]
    public void Forward_GreedyInPoisonedMemory_MatchesGolden(string modelName, string backend)
    {
        using GoldenExpectation expected = new(modelName);
        using KimiLinearModel model = Backend.Load(Golden.Model(modelName), backend);
        using SequenceState sequence = model.CreateSequence();
        using SequenceState fork = sequence.Fork();

        int[] continuation = model.ContinueGreedily(fork, model.LastLogits(fork, expected.GreedyFrom24[..24]), 40);

        Assert.Equal(expected.GreedyFrom24[24..], continuation);
    }

    [Theory]
    [MemberData(nameof(PackedModels.Cases), MemberType = typeof(PackedModels))]
    public void Forward_PackedWeightsInPoisonedMemory_GivesTheSameBits(string name, WeightFormat format)
    {
        int[] ids = PackedModels.Ids(70);
        foreach (SimdWidth width in Enum.GetValues<SimdWidth>().Where(width => width <= CpuBackends.Widest))
        {
            NativeBuffer.PoisonsNewMemory = false;
            float[] expected = RunPacked(name, format, width, ids);
            NativeBuffer.PoisonsNewMemory = true;

            float[] poisoned = RunPacked(name, format, width, ids);

            TensorAssert.Identical(poisoned, expected, $"{width}");
        }
    }

    [Theory]
    [MemberData(nameof(Backend.Names), MemberType = typeof(Backend))]
    public void Restore_PoisonedMemory_ContinuesAsUninterrupted(string backend)
    {
        using GoldenExpectation expected = new("plain");
        using KimiLinearModel model = Backend.Load(Golden.Model("plain"), backend);
        using SequenceState original = model.CreateSequence();
        model.Forward(original, expected.InputIds.AsSpan(0, 65), []);
        using SequenceState fork = original.Fork();
        using StateSnapshot snapshot = original.Save();
        using SequenceState restored = model.CreateSequence();
        restored.Restore(snapshot);

        float[] uninterrupted = model.Decode(original, 1, 2, 3);

        TensorAssert.Identical(model.Decode(fork, 1, 2, 3), uninterrupted, "fork");
        TensorAssert.Identical(model.Decode(restored, 1, 2, 3), uninterrupted, "restored");
    }

    // Long steps, short ones, and single tokens, each in new memory.
    private static float[] RunPacked(string name, WeightFormat format, SimdWidth width, int[] ids) =>
    [
        .. ((int[])[70, 13, 5, 1]).SelectMany(pieceLength =>
        {
            using KimiLinearModel model = PackedModels.Load(name, format, width: width);
            using SequenceState sequence = model.CreateSequence();
            return model.EveryLogits(sequence, ids, pieceLength);
        }),
    ];
}
