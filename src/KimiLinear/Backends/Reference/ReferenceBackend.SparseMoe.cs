using KimiLinear.Tensors;

namespace KimiLinear.Backends;

internal sealed unsafe partial class ReferenceBackend
{
    public override void SparseMoeAdd(
        SparseMoeWeights weights, int tokenCount, int layerIndex, IRoutingObserver? observer, Tensor hidden)
    {
        int active = Config.ActiveExpertCount;
        int[] experts = new int[tokenCount * active];
        float[] routerWeights = new float[tokenCount * active];
        float[] logits = new float[tokenCount * Config.ExpertCount];
        float[][] normedRows = new float[tokenCount][];
        for (int t = 0; t < tokenCount; t++)
        {
            float[] normed = RmsNorm(Row(hidden, t), Vector(weights.Norm));
            Span<int> chosen = experts.AsSpan(t * active, active);
            Span<float> chosenWeights = routerWeights.AsSpan(t * active, active);
            Span<float> tokenLogits = logits.AsSpan(t * Config.ExpertCount, Config.ExpertCount);
            Project(normed, (HostMatrix)weights.Router).CopyTo(tokenLogits);
            ExpertSelection.Select(Config, tokenLogits, Vector(weights.CorrectionBias), chosen, chosenWeights);
            normedRows[t] = normed;

            float[] sum = new float[Config.HiddenDim];
            for (int i = 0; i < active; i++)
            {
                float[] expertOutput = ExpertOutput(weights, chosen[i], normed);
                for (int j = 0; j < sum.Length; j++)
                {
                    sum[j] += chosenWeights[i] * expertOutput[j];
                }
            }

            if (weights.SharedGateUp is not null)
            {
                Add(GatedMlp(normed, (HostMatrix)weights.SharedGateUp, (HostMatrix)weights.SharedDown!), sum);
            }

            Add(sum, Row(hidden, t));
        }

        observer?.OnRouted(layerIndex, experts, routerWeights);
        (observer as IExpertInputObserver)?.OnInput(layerIndex, normedRows.SelectMany(row => row).ToArray(), logits);
        if (observer is IExpertObserver expertObserver)
        {
            ReadOnlySpan<int> watched =
                expertObserver.OnScored(layerIndex, logits, Vector(weights.CorrectionBias), experts);
            double[] norms = new double[watched.Length];
            float[] maxima = new float[watched.Length];
            for (int i = 0; i < watched.Length; i++)
            {
                float[] output = ExpertOutput(weights, watched[i], normedRows[i / active]);
                (norms[i], maxima[i]) = OutputMeasure.Of(output);
                if (expertObserver.WantsOutputs)
                {
                    expertObserver.OnOutput(layerIndex, watched[i], output);
                }
            }

            expertObserver.OnMeasured(layerIndex, norms, maxima);
        }
    }

    private static float[] ExpertOutput(SparseMoeWeights weights, int expert, float[] normed) =>
        GatedMlp(normed, ((HostExperts)weights.ExpertGateUp)[expert], ((HostExperts)weights.ExpertDown)[expert]);
}
