using KimiLinear.Tensors;
using TorchSharp;

namespace KimiLinear.Backends;

internal sealed partial class TorchBackend
{
    /// <inheritdoc/>
    /// <remarks>
    /// The host chooses the experts, by the rule that all backends share, and every expert multiplies all its tokens at once.
    /// </remarks>
    public override void SparseMoeAdd(
        SparseMoeWeights weights, int tokenCount, int layerIndex, IRoutingObserver? observer, Tensor hidden)
    {
        using DisposeScope scope = torch.NewDisposeScope();
        torch.Tensor rows = TorchTensor.Rows(hidden, tokenCount);
        torch.Tensor normed = RmsNorm(rows, TorchTensor.Of(weights.Norm));
        (int[] experts, float[] factors) = Route(weights, normed, tokenCount);
        observer?.OnRouted(layerIndex, experts, factors);

        torch.Tensor sum = torch.zeros_like(rows);
        torch.Tensor gateUp = TorchTensor.Of(weights.ExpertGateUp);
        torch.Tensor down = TorchTensor.Of(weights.ExpertDown);
        int active = Config.ActiveExpertCount;
        int[] visits = [.. Enumerable.Range(0, experts.Length).OrderBy(visit => experts[visit])];
        torch.Tensor tokens = Indices([.. visits.Select(visit => visit / active)]);
        torch.Tensor visitFactors = torch.tensor(visits.Select(visit => factors[visit]).ToArray(), device: _device).unsqueeze(1);
        for (int start = 0, end; start < visits.Length; start = end)
        {
            int expert = experts[visits[start]];
            for (end = start; end < visits.Length && experts[visits[end]] == expert; end++)
            {
            }

            using DisposeScope inner = torch.NewDisposeScope();
            torch.Tensor indices = tokens.narrow(0, start, end - start);
            torch.Tensor output = GatedMlp(normed.index_select(0, indices), gateUp.select(0, expert), down.select(0, expert));
            sum.index_add_(0, indices, output.mul(visitFactors.narrow(0, start, end - start)), 1);
        }

        if (weights.SharedGateUp is not null)
        {
            sum.add_(GatedMlp(normed, TorchTensor.Of(weights.SharedGateUp), TorchTensor.Of(weights.SharedDown!)));
        }

        rows.add_(sum);
    }

    // For each token its experts, ascending, and their factors.
    private (int[] Experts, float[] Factors) Route(SparseMoeWeights weights, torch.Tensor normed, int tokenCount)
    {
        int active = Config.ActiveExpertCount;
        float[] logits = new float[tokenCount * Config.ExpertCount];
        TorchMemory.Read(Project(normed, TorchTensor.Of(weights.Router)), logits.AsSpan());
        float[] bias = new float[Config.ExpertCount];
        TorchMemory.Read(TorchTensor.Of(weights.CorrectionBias), bias.AsSpan());
        int[] experts = new int[tokenCount * active];
        float[] factors = new float[tokenCount * active];
        for (int t = 0; t < tokenCount; t++)
        {
            ExpertSelection.Select(
                Config,
                logits.AsSpan(t * Config.ExpertCount, Config.ExpertCount),
                bias,
                experts.AsSpan(t * active, active),
                factors.AsSpan(t * active, active));
        }

        return (experts, factors);
    }
}
