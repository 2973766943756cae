using TorchSharp;
using F = TorchSharp.torch.nn.functional;

namespace KimiLinear.Backends;

/// <summary>The gated delta rule for many heads at once.</summary>
/// <remarks>
/// The chunked form of Kimi Linear (arXiv:2510.26692, section 3.2). Decay is per channel, so that it cannot be taken out of the
/// products of keys; every exponent used is the log decay from an earlier token to a later one, hence never above zero: within
/// blocks of 16 tokens pair by pair, between blocks by way of the later block's first token.
/// </remarks>
internal sealed class TorchDelta(TorchProducts products)
{
    private const int ChunkTokens = 64;
    private const int BlockTokens = 16;

    /// <summary>Runs tokens after each other.</summary>
    /// <param name="q">Normalised and scaled. [N, T, K]</param>
    /// <param name="k">Normalised. [N, T, K]</param>
    /// <param name="v">[N, T, V]</param>
    /// <param name="logDecay">Never above zero. [N, T, K]</param>
    /// <param name="beta">[N, T, 1]</param>
    /// <param name="state">Before the first token. [N, V, K]</param>
    /// <returns>What was read [N, T, V], and the state after the last token.</returns>
    public (torch.Tensor Output, torch.Tensor State) Run(
        torch.Tensor q, torch.Tensor k, torch.Tensor v, torch.Tensor logDecay, torch.Tensor beta, torch.Tensor state)
    {
        long count = q.shape[1];
        if (count == 1)
        {
            return Step(q, k, v, logDecay, beta, state);
        }

        List<torch.Tensor> outputs = [];
        for (long start = 0; start < count; start += ChunkTokens)
        {
            long tokens = Math.Min(ChunkTokens, count - start);
            using DisposeScope scope = torch.NewDisposeScope();
            (torch.Tensor output, state) = Chunk(
                Tokens(q, start, tokens),
                Tokens(k, start, tokens),
                Tokens(v, start, tokens),
                Tokens(logDecay, start, tokens),
                Tokens(beta, start, tokens),
                state);
            outputs.Add(output.narrow(1, 0, tokens).MoveToOuterDisposeScope());
            state.MoveToOuterDisposeScope();
        }

        return (torch.cat(outputs, 1), state);
    }

    // S ← S·diag(α), δ = β·(v − S·k), S ← S + δ·kᵀ, o = S·q
    private (torch.Tensor Output, torch.Tensor State) Step(
        torch.Tensor q, torch.Tensor k, torch.Tensor v, torch.Tensor logDecay, torch.Tensor beta, torch.Tensor state)
    {
        torch.Tensor decayed = state.mul(logDecay.exp());
        torch.Tensor predicted = products.MultiplyEach(decayed, k.transpose(1, 2)).transpose(1, 2); // [N, 1, V]
        torch.Tensor correction = v.Minus(predicted).mul(beta);
        torch.Tensor next = decayed.Plus(products.MultiplyEach(correction.transpose(1, 2), k));
        return (products.MultiplyEach(next, q.transpose(1, 2)).transpose(1, 2), next);
    }

    private (torch.Tensor Output, torch.Tensor State) Chunk(
        torch.Tensor q, torch.Tensor k, torch.Tensor v, torch.Tensor logDecay, torch.Tensor beta, torch.Tensor state)
    {
        long length = q.shape[1];
        torch.Tensor total = logDecay.cumsum(1); // [N, C, K] log decay from the chunk's beginning
        torch.Tensor fromStart = total.exp();
        (torch.Tensor keyKey, torch.Tensor queryKey) = Products(q, k, total);

        // (I + diag(β)·M)·D = diag(β)·(V − (e^G ⊙ K)·Sᵀ)
        torch.Tensor expected = products.MultiplyEach(fromStart.mul(k), state.transpose(1, 2));
        torch.Tensor right = v.Minus(expected).mul(beta);
        torch.Tensor corrections = torch.linalg.solve_triangular(
            keyKey.mul(beta), right, upper: false, left: true, unitriangular: true);

        torch.Tensor output = products.MultiplyEach(fromStart.mul(q), state.transpose(1, 2))
            .Plus(products.MultiplyEach(queryKey, corrections));
        torch.Tensor last = total.narrow(1, length - 1, 1); // [N, 1, K]
        torch.Tensor toEnd = last.Minus(total).exp().mul(k);
        torch.Tensor next = state.mul(last.exp()).Plus(products.MultiplyEach(corrections.transpose(1, 2), toEnd));
        return (output, next);
    }

    // M[i, j] = Σ_c k_i k_j e^(G_i − G_j) for j < i and P[i, j] = Σ_c q_i k_j e^(G_i − G_j) for j ≤ i; zero elsewhere.
    private (torch.Tensor KeyKey, torch.Tensor QueryKey) Products(torch.Tensor q, torch.Tensor k, torch.Tensor total)
    {
        long heads = k.shape[0];
        long length = k.shape[1];
        torch.Tensor keyKey = torch.zeros(heads, length, length, torch.float32, k.device);
        torch.Tensor queryKey = torch.zeros_like(keyKey);
        for (long start = 0; start < length; start += BlockTokens)
        {
            torch.Tensor blockTotal = total.narrow(1, start, BlockTokens);
            torch.Tensor blockKeys = k.narrow(1, start, BlockTokens);
            torch.Tensor blockQueries = q.narrow(1, start, BlockTokens);
            (torch.Tensor keys, torch.Tensor queries) = Pairs(blockQueries, blockKeys, blockTotal);
            Block(keyKey, start, start).copy_(keys);
            Block(queryKey, start, start).copy_(queries);
            if (start > 0)
            {
                torch.Tensor first = total.narrow(1, start, 1);
                torch.Tensor fromFirst = blockTotal.Minus(first).exp();
                torch.Tensor earlier = k.narrow(1, 0, start).mul(first.Minus(total.narrow(1, 0, start)).exp()).transpose(1, 2);
                keyKey.narrow(1, start, BlockTokens).narrow(2, 0, start).copy_(products.MultiplyEach(fromFirst.mul(blockKeys), earlier));
                queryKey.narrow(1, start, BlockTokens).narrow(2, 0, start).copy_(products.MultiplyEach(fromFirst.mul(blockQueries), earlier));
            }
        }

        return (keyKey, queryKey);
    }

    // The products within one block of tokens; the difference is masked before it becomes an exponent.
    private (torch.Tensor KeyKey, torch.Tensor QueryKey) Pairs(torch.Tensor q, torch.Tensor k, torch.Tensor total)
    {
        long heads = k.shape[0];
        long channels = k.shape[2];
        torch.Tensor later = torch.ones(BlockTokens, BlockTokens, torch.@bool, k.device).triu(1).unsqueeze(-1);
        torch.Tensor decays = total.unsqueeze(2).Minus(total.unsqueeze(1)).masked_fill(later, TorchArithmetic.NegativeInfinity).exp();
        torch.Tensor decayedKeys = decays.mul(k.unsqueeze(1)).view(heads * BlockTokens, BlockTokens, channels); // [N·i, j, K]
        return (WithDecayed(k).tril(-1), WithDecayed(q));

        torch.Tensor WithDecayed(torch.Tensor rows) =>
            products.MultiplyEach(decayedKeys, rows.reshape(heads * BlockTokens, channels, 1)).view(heads, BlockTokens, BlockTokens);
    }

    private static torch.Tensor Block(torch.Tensor matrix, long row, long column) =>
        matrix.narrow(1, row, BlockTokens).narrow(2, column, BlockTokens);

    // Whole blocks: tokens that are nothing leave everything as it is.
    private static torch.Tensor Tokens(torch.Tensor values, long start, long count)
    {
        torch.Tensor tokens = values.narrow(1, start, count);
        long missing = (BlockTokens - (count % BlockTokens)) % BlockTokens;
        return missing == 0 ? tokens.contiguous() : F.pad(tokens, [0, 0, 0, missing]);
    }
}
