using System.Globalization;
using KimiLinear.Backends;
using KimiLinear.Configuration;

namespace KimiLinear.Pruning;

/// <summary>What an observation weights the outputs of experts with: the rules of <see cref="GateMode"/>, in float64.</summary>
internal sealed class ExpertGates(KimiLinearConfig config, GateMode mode)
{
    // The smallest weight of the published program: float32's epsilon.
    private const double LiteralFloor = 1.1920928955078125e-7;

    /// <summary>Weighs the experts of one token.</summary>
    /// <param name="logits">What the router says. [E]</param>
    /// <param name="correctionBias">What is added to the scores to choose experts. [E]</param>
    /// <param name="experts">The experts that the model chose; replaced by others where the mode chooses otherwise. [A]</param>
    /// <param name="gates">Receives their weights. [A]</param>
    /// <exception cref="InvalidOperationException">Biased scores that are to be shared out have no positive sum.</exception>
    public void Weigh(ReadOnlySpan<float> logits, ReadOnlySpan<float> correctionBias, Span<int> experts, Span<double> gates)
    {
        if (mode == GateMode.RepoLiteral)
        {
            ChooseLargest(logits, experts);
            Softmax(logits, experts, gates);
            return;
        }

        double sum = 0;
        for (int i = 0; i < experts.Length; i++)
        {
            gates[i] = 1 / (1 + Math.Exp(-(double)logits[experts[i]]));
            gates[i] += mode == GateMode.HfAlias ? correctionBias[experts[i]] : 0;
            sum += gates[i];
        }

        // A single expert keeps its score: there is nothing to share out.
        double scale = mode == GateMode.ModelScaled ? config.RoutedScalingFactor : 1;
        if (config.NormalizeRouterWeights && experts.Length > 1)
        {
            if (mode == GateMode.HfAlias && !(sum > 0 && double.IsFinite(sum)))
            {
                throw new InvalidOperationException(string.Create(
                    CultureInfo.InvariantCulture,
                    $"The biased scores of a token's experts sum to {sum}, which cannot be shared out. Observe with the gate mode "
                    + $"'model', which leaves the bias out."));
            }

            scale /= sum + ComputeBackend.RouterWeightEpsilon;
        }

        foreach (ref double gate in gates)
        {
            gate *= scale;
        }
    }

    // Of equals the lower index; ascending.
    private static void ChooseLargest(ReadOnlySpan<float> logits, Span<int> experts)
    {
        for (int i = 0; i < experts.Length; i++)
        {
            int best = -1;
            for (int expert = 0; expert < logits.Length; expert++)
            {
                if ((best < 0 || logits[expert] > logits[best]) && !experts[..i].Contains(expert))
                {
                    best = expert;
                }
            }

            experts[i] = best;
        }

        experts.Sort();
    }

    private void Softmax(ReadOnlySpan<float> logits, ReadOnlySpan<int> experts, Span<double> gates)
    {
        double max = double.NegativeInfinity;
        foreach (float logit in logits)
        {
            max = Math.Max(max, logit);
        }

        double all = 0;
        foreach (float logit in logits)
        {
            all += Math.Exp(logit - max);
        }

        double sum = 0;
        for (int i = 0; i < experts.Length; i++)
        {
            gates[i] = Math.Exp(logits[experts[i]] - max) / all;
            sum += gates[i];
        }

        if (config.NormalizeRouterWeights)
        {
            foreach (ref double gate in gates)
            {
                gate = Math.Max(gate / sum, LiteralFloor);
            }
        }
    }
}
