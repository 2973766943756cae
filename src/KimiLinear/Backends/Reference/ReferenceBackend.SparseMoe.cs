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
        for (int t = 0; t < tokenCount; t++)
        {
            float[] normed = RmsNorm(Row(hidden, t), Vector(weights.Norm));
            Span<int> chosen = experts.AsSpan(t * active, active);
            Span<float> chosenWeights = routerWeights.AsSpan(t * active, active);
            ExpertSelection.Select(
                Config, Project(normed, (HostMatrix)weights.Router), Vector(weights.CorrectionBias), chosen, chosenWeights);

            float[] sum = new float[Config.HiddenDim];
            for (int i = 0; i < active; i++)
            {
                float[] expertOutput = GatedMlp(
                    normed, ((HostExperts)weights.ExpertGateUp)[chosen[i]], ((HostExperts)weights.ExpertDown)[chosen[i]]);
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
    }
}
