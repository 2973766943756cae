using KimiLinear.Backends;
using KimiLinear.Caching;
using KimiLinear.Model;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Tests.Model;

/// <summary>The golden checkpoints through every backend: the numbers of independent implementations.</summary>
public sealed class GoldenModelTests
{
    private const double Tolerance = 2e-4;

    public static TheoryData<string, string> Cases()
    {
        TheoryData<string, string> cases = [];
        foreach (string backend in Backend.Available)
        {
            foreach (string model in Golden.ModelNames)
            {
                cases.Add(model, backend);
            }
        }

        return cases;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Forward_WholePrompt_MatchesGolden(string modelName, string backend)
    {
        using GoldenExpectation expected = new(modelName);
        using KimiLinearModel model = Backend.Load(Golden.Model(modelName), backend);
        using SequenceState sequence = model.CreateSequence();
        RecordingObserver observer = new();
        float[] logits = new float[expected.InputIds.Length * model.Config.VocabularySize];

        model.Forward([new BatchEntry(sequence, expected.InputIds, LogitsRequest.EveryToken)], logits, observer);

        for (int layer = 0; layer <= model.Config.LayerCount; layer++)
        {
            TensorAssert.Close([.. observer.Hidden[layer]], expected.Floats($"hidden.{layer}"), Tolerance, $"hidden.{layer}");
            if (layer < model.Config.LayerCount && model.Config.SparseLayers[layer])
            {
                Assert.Equal(expected.Integers($"router.{layer}.experts"), observer.Experts[layer]);
                TensorAssert.Close(
                    [.. observer.Weights[layer]], expected.Floats($"router.{layer}.weights"), Tolerance, $"router.{layer}.weights");
            }
        }

        TensorAssert.Close(logits, expected.Logits, Tolerance, "logits");
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Forward_GreedyFrom24Tokens_MatchesGolden(string modelName, string backend)
    {
        using GoldenExpectation expected = new(modelName);
        using KimiLinearModel model = Backend.Load(Golden.Model(modelName), backend);
        using SequenceState sequence = model.CreateSequence();
        float[] logits = new float[model.Config.VocabularySize];
        List<int> ids = [.. expected.GreedyFrom24[..24]];

        model.Forward(sequence, [.. ids], logits);
        while (ids.Count < expected.GreedyFrom24.Length)
        {
            ids.Add(TensorAssert.IndexOfMax(logits));
            model.Forward(sequence, [ids[^1]], logits);
        }

        Assert.Equal(expected.GreedyFrom24, ids);
    }
}
