using System.Diagnostics;
using KimiLinear.Configuration;

namespace KimiLinear.Backends;

/// <summary>Chooses a token's experts from the router's logits.</summary>
internal static class ExpertSelection
{
    // Enough for every known relative of the model on the stack.
    private const int StackLimit = 1024;

    /// <summary>Fills in the chosen experts, ascending, and their weights, scaling included.</summary>
    /// <remarks>
    /// Scores are sigmoids; the correction bias takes part in the choice only. With groups, those with the largest sum of their
    /// two best biased scores are kept. Ties go to the lower index.
    /// </remarks>
    public static void Select(
        KimiLinearConfig config,
        ReadOnlySpan<float> logits,         // [E]
        ReadOnlySpan<float> correctionBias, // [E]
        Span<int> experts,                  // [A]
        Span<float> weights)                // [A]
    {
        int count = logits.Length;
        Debug.Assert(experts.Length <= count, "A token cannot visit more experts than there are.");
        Span<float> scores = count <= StackLimit ? stackalloc float[count] : new float[count];
        Span<float> biased = count <= StackLimit ? stackalloc float[count] : new float[count];
        for (int i = 0; i < count; i++)
        {
            scores[i] = 1 / (1 + MathF.Exp(-logits[i]));
            biased[i] = scores[i] + correctionBias[i];
        }

        if (config.ExpertGroupCount > 1)
        {
            DropWeakGroups(biased, config.ExpertGroupCount, config.ActiveExpertGroupCount);
        }

        for (int i = 0; i < experts.Length; i++)
        {
            int best = IndexOfMax(biased);
            experts[i] = best;
            biased[best] = float.NegativeInfinity;
        }

        experts.Sort();
        Weigh(config, scores, experts, weights);
    }

    private static void Weigh(KimiLinearConfig config, ReadOnlySpan<float> scores, ReadOnlySpan<int> experts, Span<float> weights)
    {
        float sum = 0;
        for (int i = 0; i < experts.Length; i++)
        {
            weights[i] = scores[experts[i]];
            sum += weights[i];
        }

        // A single expert keeps its score: there is nothing to share out.
        float scale = config.NormalizeRouterWeights && experts.Length > 1
            ? config.RoutedScalingFactor / (sum + ComputeBackend.RouterWeightEpsilon)
            : config.RoutedScalingFactor;
        foreach (ref float weight in weights)
        {
            weight *= scale;
        }
    }

    private static void DropWeakGroups(Span<float> biased, int groupCount, int keptCount)
    {
        int groupSize = biased.Length / groupCount;
        Span<float> groupScores = groupCount <= StackLimit ? stackalloc float[groupCount] : new float[groupCount];
        for (int group = 0; group < groupCount; group++)
        {
            groupScores[group] = SumOfTwoLargest(biased.Slice(group * groupSize, groupSize));
        }

        Span<bool> kept = groupCount <= StackLimit ? stackalloc bool[groupCount] : new bool[groupCount];
        for (int i = 0; i < keptCount; i++)
        {
            int best = IndexOfMax(groupScores);
            kept[best] = true;
            groupScores[best] = float.NegativeInfinity;
        }

        for (int group = 0; group < groupCount; group++)
        {
            if (!kept[group])
            {
                biased.Slice(group * groupSize, groupSize).Fill(float.NegativeInfinity);
            }
        }
    }

    private static float SumOfTwoLargest(ReadOnlySpan<float> values)
    {
        float largest = float.NegativeInfinity;
        float second = float.NegativeInfinity;
        foreach (float value in values)
        {
            if (value > largest)
            {
                second = largest;
                largest = value;
            }
            else if (value > second)
            {
                second = value;
            }
        }

        return values.Length == 1 ? largest : largest + second;
    }

    // The first of equals. NaN never wins; where there is nothing else, some index still comes out.
    private static int IndexOfMax(ReadOnlySpan<float> values)
    {
        int best = 0;
        for (int i = 1; i < values.Length; i++)
        {
            if (values[i] > values[best] || float.IsNaN(values[best]))
            {
                best = i;
            }
        }

        return best;
    }
}
