using KimiLinear.Tensors;
using TorchSharp;
using F = TorchSharp.torch.nn.functional;

namespace KimiLinear.Backends;

internal sealed partial class TorchBackend
{
    private static readonly Scalar L2Epsilon = L2NormEpsilon;

    public override void KimiDelta(
        KimiDeltaWeights weights, Tensor projected, ForwardBatch batch, CacheStorage cache, int deltaLayer, Tensor output)
    {
        // Sequences that decode one token go together, longer ones each for itself.
        List<int> singles = [];
        for (int sequence = 0; sequence < batch.SequenceCount; sequence++)
        {
            if (batch.TokenCountOf(sequence) == 1)
            {
                singles.Add(sequence);
            }
            else
            {
                RunDelta(weights, projected, batch, (TorchCache)cache, deltaLayer, output, [sequence]);
            }
        }

        if (singles.Count > 0)
        {
            RunDelta(weights, projected, batch, (TorchCache)cache, deltaLayer, output, [.. singles]);
        }
    }

    // Some sequences with equally many tokens each (B · T rows).
    private void RunDelta(
        KimiDeltaWeights weights,
        Tensor projected,
        ForwardBatch batch,
        TorchCache cache,
        int deltaLayer,
        Tensor output,
        int[] sequences)
    {
        using DisposeScope scope = torch.NewDisposeScope();
        int width = Config.DeltaDim;
        int heads = Config.DeltaHeadCount;
        int headDim = Config.DeltaHeadDim;
        int tokens = batch.TokenCountOf(sequences[0]);
        torch.Tensor indices = Indices([.. sequences.SelectMany(s => Enumerable.Range(batch.Offset(s), tokens))]);
        torch.Tensor rows = TorchTensor.Of(projected).index_select(0, indices); // [B·T, X]

        torch.Tensor decayInput = _products.Project(rows.narrow(1, 3 * width, weights.DecayGateRank), TorchTensor.Of(weights.DecayGateUp));
        torch.Tensor gateInput = _products.Project(
            rows.narrow(1, (3 * width) + weights.DecayGateRank, weights.OutputGateRank), TorchTensor.Of(weights.OutputGateUp));
        torch.Tensor beta = rows.narrow(1, rows.shape[1] - heads, heads).sigmoid();

        // g = −exp(A_log) · softplus(f_b f_a x + dt_bias)
        torch.Tensor softplus = decayInput.Plus(TorchTensor.Of(weights.DecayBias).view(-1)).Softplus();
        torch.Tensor rate = TorchTensor.Of(weights.DecayLog).view(-1).exp().neg().unsqueeze(1); // [H, 1]
        torch.Tensor logDecay = softplus.view(-1, heads, headDim).mul(rate);

        torch.Tensor convolved = Convolve(weights, rows.narrow(1, 0, 3 * width), cache, deltaLayer, batch, sequences);
        torch.Tensor q = L2Normalize(Part(0)).mul(_deltaQueryScale);
        torch.Tensor k = L2Normalize(Part(1));
        torch.Tensor states = torch.stack(
            sequences.Select(s => cache.State(batch.Slot(s), deltaLayer, heads, headDim)).ToArray(), 0);
        (torch.Tensor read, torch.Tensor next) = _delta.Run(
            ByHead(q),
            ByHead(k),
            ByHead(Part(2)),
            ByHead(logDecay),
            ByHead(beta.unsqueeze(-1)),
            states.view(-1, headDim, headDim));

        next = next.view(sequences.Length, heads, headDim, headDim);
        for (int i = 0; i < sequences.Length; i++)
        {
            cache.State(batch.Slot(sequences[i]), deltaLayer, heads, headDim).copy_(next.select(0, i));
        }

        torch.Tensor byToken = read.reshape(sequences.Length, heads, tokens, headDim).transpose(1, 2);
        torch.Tensor normed = RmsNorm(byToken.reshape(-1, heads, headDim), TorchTensor.Of(weights.OutputNorm));
        torch.Tensor gated = normed.reshape(-1, width).mul(gateInput.sigmoid());
        TorchTensor.Of(output).index_copy_(0, indices, gated);

        torch.Tensor Part(int part) => convolved.narrow(1, part * width, width).reshape(-1, heads, headDim);

        // [B·T, H, X] → [B·H, T, X]
        torch.Tensor ByHead(torch.Tensor x) =>
            x.reshape(sequences.Length, tokens, heads, -1).transpose(1, 2).reshape(sequences.Length * heads, tokens, -1);
    }

    // y[c] = SiLU(Σ taps[i, c] · u[t − (W − 1) + i][c]), and the last inputs are kept.
    private torch.Tensor Convolve(
        KimiDeltaWeights weights, torch.Tensor input, TorchCache cache, int deltaLayer, ForwardBatch batch, int[] sequences)
    {
        int kept = Config.ConvolutionWidth - 1;
        int tokens = batch.TokenCountOf(sequences[0]);
        torch.Tensor taps = torch.cat(
            [
                TorchTensor.Of(weights.QueryConvolution),
                TorchTensor.Of(weights.KeyConvolution),
                TorchTensor.Of(weights.ValueConvolution),
            ],
            1); // [W, 3·H·K]
        torch.Tensor current = input.reshape(sequences.Length, tokens, -1);
        torch.Tensor all = current;
        if (kept > 0)
        {
            torch.Tensor tails = torch.stack(sequences.Select(s => cache.Tail(batch.Slot(s), deltaLayer, kept)).ToArray(), 0);
            all = torch.cat([tails, current], 1); // [B, W − 1 + T, 3·H·K]
            for (int i = 0; i < sequences.Length; i++)
            {
                cache.Tail(batch.Slot(sequences[i]), deltaLayer, kept).copy_(all.select(0, i).narrow(0, tokens, kept));
            }
        }

        torch.Tensor sum = all.narrow(1, 0, tokens).mul(taps.select(0, 0));
        for (int tap = 1; tap < Config.ConvolutionWidth; tap++)
        {
            sum = sum.Plus(all.narrow(1, tap, tokens).mul(taps.select(0, tap)));
        }

        return F.silu(sum).view(sequences.Length * tokens, -1);
    }

    private static torch.Tensor L2Normalize(torch.Tensor x) =>
        x.mul(x.Square().sum(-1, keepdim: true).add(L2Epsilon, TorchArithmetic.One).rsqrt());
}
