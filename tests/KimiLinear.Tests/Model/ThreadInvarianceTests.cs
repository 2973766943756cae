using KimiLinear.Backends;
using KimiLinear.Caching;
using KimiLinear.Model;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Tests.Model;

/// <summary>The number of threads changes how fast the numbers come, not the numbers.</summary>
public sealed class ThreadInvarianceTests
{
    [Theory]
    [MemberData(nameof(ModelCases.Production), MemberType = typeof(ModelCases))]
    public void Forward_AnyThreadCount_BitIdentical(string modelName, string backend)
    {
        using GoldenExpectation golden = new(modelName);
        float[] expected = RunAll(modelName, backend, golden.InputIds, threadCount: 1);

        foreach (int threadCount in (int[])[2, 3, 4, 8])
        {
            float[] actual = RunAll(modelName, backend, golden.InputIds, threadCount);

            TensorAssert.Identical(actual, expected, $"{threadCount} threads");
        }
    }

    // A prompt at once, single tokens alone, and single tokens of three sequences beside a short prompt.
    private static float[] RunAll(string modelName, string backend, int[] ids, int threadCount)
    {
        using KimiLinearModel model = Backend.Load(Golden.Model(modelName), backend, threadCount);
        using SequenceState first = model.CreateSequence();
        using SequenceState second = first.Fork();
        using SequenceState third = model.CreateSequence();
        float[] batchLogits = new float[(2 + 9) * model.Config.VocabularySize];

        float[] prefill = model.EveryLogits(first, ids, ids.Length);
        float[] decode = model.Decode(first, ids[..4]);
        model.Forward(second, ids.AsSpan(0, 11), []);
        model.Forward(
            [
                new BatchEntry(first, ids.AsMemory(4, 1), LogitsRequest.LastToken),
                new BatchEntry(third, ids.AsMemory(0, 9), LogitsRequest.EveryToken),
                new BatchEntry(second, ids.AsMemory(11, 1), LogitsRequest.LastToken),
            ],
            batchLogits);

        return [.. prefill, .. decode, .. batchLogits];
    }
}
