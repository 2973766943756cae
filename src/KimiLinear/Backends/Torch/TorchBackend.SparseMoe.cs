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
        float[] logits = RouterLogits(weights, normed, tokenCount);
        float[] bias = new float[Config.ExpertCount];
        TorchMemory.Read(TorchTensor.Of(weights.CorrectionBias), bias.AsSpan());
        (int[] experts, float[] factors) = Route(logits, bias, tokenCount);
        observer?.OnRouted(layerIndex, experts, factors);
        if (observer is IExpertObserver expertObserver)
        {
            Measure(weights, normed, layerIndex, expertObserver.OnScored(layerIndex, logits, bias, experts), expertObserver);
        }

        torch.Tensor sum = torch.zeros_like(rows);
        VisitExperts(weights, normed, experts, (visits, tokens, output) =>
        {
            torch.Tensor visitFactors = torch.tensor([.. visits.Select(visit => factors[visit])], device: _device).unsqueeze(1);
            sum.index_add_(0, tokens, output.mul(visitFactors), TorchArithmetic.One);
        });

        if (weights.SharedGateUp is not null)
        {
            sum.Increase(GatedMlp(normed, TorchTensor.Of(weights.SharedGateUp), TorchTensor.Of(weights.SharedDown!)));
        }

        rows.Increase(sum);
    }

    // Computes every expert once, ascending, for all its tokens: which of the places in the list of experts, whose tokens, and
    // what comes out.
    private void VisitExperts(
        SparseMoeWeights weights, torch.Tensor normed, int[] experts, Action<ArraySegment<int>, torch.Tensor, torch.Tensor> use)
    {
        torch.Tensor gateUp = TorchTensor.Of(weights.ExpertGateUp);
        torch.Tensor down = TorchTensor.Of(weights.ExpertDown);
        int active = Config.ActiveExpertCount;
        int[] visits = [.. Enumerable.Range(0, experts.Length).OrderBy(visit => experts[visit])];
        torch.Tensor tokens = Indices([.. visits.Select(visit => visit / active)]);
        for (int start = 0, end; start < visits.Length; start = end)
        {
            int expert = experts[visits[start]];
            for (end = start; end < visits.Length && experts[visits[end]] == expert; end++)
            {
            }

            using DisposeScope inner = torch.NewDisposeScope();
            torch.Tensor indices = tokens.narrow(0, start, end - start);
            torch.Tensor output = GatedMlp(normed.index_select(0, indices), gateUp.select(0, expert), down.select(0, expert));
            use(new ArraySegment<int>(visits, start, end - start), indices, output);
        }
    }

    private void Measure(
        SparseMoeWeights weights, torch.Tensor normed, int layerIndex, ReadOnlySpan<int> experts, IExpertObserver observer)
    {
        double[] norms = new double[experts.Length];
        float[] maxima = new float[experts.Length];
        int[] watched = experts.ToArray();
        VisitExperts(weights, normed, watched, (visits, _, output) =>
        {
            if (observer.WantsOutputs)
            {
                TellOutputs(layerIndex, watched[visits[0]], output, observer);
            }

            double[] visitNorms = new double[visits.Count];
            float[] visitMaxima = new float[visits.Count];
            TorchMemory.Read(output.to(torch.float64).Square().sum(1).sqrt(), visitNorms.AsSpan());
            TorchMemory.Read(output.abs().amax([1]), visitMaxima.AsSpan());
            for (int i = 0; i < visits.Count; i++)
            {
                (norms[visits[i]], maxima[visits[i]]) = (visitNorms[i], visitMaxima[i]);
            }
        });
        observer.OnMeasured(layerIndex, norms, maxima);
    }

    private void TellOutputs(int layerIndex, int expert, torch.Tensor output, IExpertObserver observer)
    {
        float[] values = new float[output.shape[0] * Config.HiddenDim];
        TorchMemory.Read(output, values.AsSpan());
        for (int start = 0; start < values.Length; start += Config.HiddenDim)
        {
            observer.OnOutput(layerIndex, expert, values.AsSpan(start, Config.HiddenDim));
        }
    }

    private float[] RouterLogits(SparseMoeWeights weights, torch.Tensor normed, int tokenCount)
    {
        float[] logits = new float[tokenCount * Config.ExpertCount];
        TorchMemory.Read(_products.Project(normed, TorchTensor.Of(weights.Router)), logits.AsSpan());
        return logits;
    }

    // For each token its experts, ascending, and their factors.
    private (int[] Experts, float[] Factors) Route(float[] logits, float[] bias, int tokenCount)
    {
        int active = Config.ActiveExpertCount;
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
