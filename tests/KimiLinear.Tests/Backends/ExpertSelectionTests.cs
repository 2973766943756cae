using KimiLinear.Backends;
using KimiLinear.Configuration;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Tests.Backends;

public sealed class ExpertSelectionTests
{
    private static readonly KimiLinearConfig Plain = KimiLinearConfig.Load(Golden.Model("plain")) with
    {
        RoutedScalingFactor = 2.446f,
        ExpertGroupCount = 1,
        ActiveExpertGroupCount = 1,
        NormalizeRouterWeights = true,
    };

    [Fact]
    public void Select_WorkedExample_ChoosesByBiasedAndWeighsByUnbiasedScores()
    {
        (int[] experts, float[] weights) = Select(Plain, [0.2f, -1, 1.5f, 0.7f], [0.3f, 0.9f, -0.4f, 0], 2);

        Assert.Equal([0, 1], experts);
        Assert.Equal(1.64256758, weights[0], tolerance: 5e-7);
        Assert.Equal(0.80343242, weights[1], tolerance: 5e-7);
    }

    [Fact]
    public void Select_Ties_GoToTheLowerIndex()
    {
        (int[] experts, _) = Select(Plain, [0, 1, 1, 1, 0], new float[5], 2);

        Assert.Equal([1, 2], experts);
    }

    [Fact]
    public void Select_Groups_KeepsThoseWithTheBestTwo()
    {
        KimiLinearConfig config = Plain with { ExpertGroupCount = 3, ActiveExpertGroupCount = 1 };

        // The single best expert is in the first group, the best pair in the second.
        (int[] experts, _) = Select(config, [9, -9, -9, 2, 2, -9, 1, 1, 1], new float[9], 3);

        Assert.Equal([3, 4, 5], experts);
    }

    [Fact]
    public void Select_TiedGroups_KeepsTheLower()
    {
        KimiLinearConfig config = Plain with { ExpertGroupCount = 3, ActiveExpertGroupCount = 2 };

        (int[] experts, _) = Select(config, [0, 0, 1, 1, 0, 0], new float[6], 3);

        Assert.Equal([0, 2, 3], experts);
    }

    [Fact]
    public void Select_ThousandsOfGroups_Works()
    {
        const int Groups = 32_768;
        KimiLinearConfig config = Plain with { ExpertGroupCount = Groups, ActiveExpertGroupCount = 1 };
        float[] logits = new float[2 * Groups];
        logits[50_001] = 1;

        (int[] experts, _) = Select(config, logits, new float[2 * Groups], 2);

        Assert.Equal([50_000, 50_001], experts);
    }

    [Fact]
    public void Select_OneExpert_KeepsItsScore()
    {
        (int[] experts, float[] weights) = Select(Plain, [-1, 0, -2], new float[3], 1);

        Assert.Equal([1], experts);
        Assert.Equal(0.5f * 2.446f, weights[0]);
    }

    [Fact]
    public void Select_WithoutNormalization_ScalesTheScores()
    {
        KimiLinearConfig config = Plain with { NormalizeRouterWeights = false };

        (_, float[] weights) = Select(config, [0, 0, -2], new float[3], 2);

        Assert.Equal([0.5f * 2.446f, 0.5f * 2.446f], weights);
    }

    [Theory]
    [InlineData(float.NaN, 3f, float.NaN, 1f)]
    [InlineData(float.NaN, 3f, 1f, float.NaN)]
    public void Select_SomeNaN_ChoosesTheNumbers(params float[] logits)
    {
        (int[] experts, _) = Select(Plain, logits, new float[4], 2);

        Assert.All(experts, expert => Assert.False(float.IsNaN(logits[expert])));
    }

    [Fact]
    public void Select_OnlyNaN_StaysInRange()
    {
        (int[] experts, _) = Select(Plain, [float.NaN, float.NaN, float.NaN], new float[3], 2);

        Assert.All(experts, expert => Assert.InRange(expert, 0, 2));
    }

    private static (int[] Experts, float[] Weights) Select(KimiLinearConfig config, float[] logits, float[] bias, int active)
    {
        int[] experts = new int[active];
        float[] weights = new float[active];
        ExpertSelection.Select(config, logits, bias, experts, weights);
        return (experts, weights);
    }
}
