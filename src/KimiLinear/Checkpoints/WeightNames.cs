using System.Globalization;

namespace KimiLinear.Checkpoints;

/// <summary>The only place that spells tensor names the way the published checkpoint does.</summary>
/// <remarks>
/// Matrices are [out, in]. D is the width of the residual stream, N the vocabulary, H the heads of the layer at hand,
/// K and V a head's key and value width, W the convolution's taps, R the latent rank, P the shared key width,
/// E the experts, F a feed-forward width.
/// </remarks>
internal static class WeightNames
{
    public const string TokenEmbedding = "model.embed_tokens.weight"; // [N, D]
    public const string FinalNorm = "model.norm.weight";              // [D]
    public const string Head = "lm_head.weight";                      // [N, D], absent when tied to the embedding

    public const string InputNorm = "input_layernorm.weight";                  // [D]
    public const string FeedForwardNorm = "post_attention_layernorm.weight";   // [D]

    private const string LayerPrefix = "model.layers.";

    /// <summary>The names that the scales of a matrix of 8-bit floats may have. What they hold is the same: factors.</summary>
    public static string[] ScaleNames(string name) => [$"{name}_scale_inv", $"{name}_scale"];

    /// <summary>The full name of a tensor of one layer.</summary>
    public static string InLayer(int layerIndex, string name) => $"{LayerPrefix}{layerIndex}.{name}";

    /// <summary>Splits a full name into its layer and the rest; <see langword="false"/> when it is no layer's tensor.</summary>
    public static bool TryParseLayer(string fullName, out int layerIndex, out string name)
    {
        layerIndex = -1;
        name = "";
        if (!fullName.StartsWith(LayerPrefix, StringComparison.Ordinal))
        {
            return false;
        }

        int dot = fullName.IndexOf('.', LayerPrefix.Length);
        if (dot < 0 || !int.TryParse(fullName.AsSpan()[LayerPrefix.Length..dot], NumberStyles.None, null, out layerIndex))
        {
            return false;
        }

        name = fullName[(dot + 1)..];
        return true;
    }

    /// <summary>Kimi Delta Attention; here V = K.</summary>
    internal static class KimiDelta
    {
        public const string Query = "self_attn.q_proj.weight";                  // [H * K, D]
        public const string Key = "self_attn.k_proj.weight";                    // [H * K, D]
        public const string Value = "self_attn.v_proj.weight";                  // [H * V, D]
        public const string QueryConvolution = "self_attn.q_conv1d.weight";     // [H * K, 1, W]; the last tap is now
        public const string KeyConvolution = "self_attn.k_conv1d.weight";       // [H * K, 1, W]
        public const string ValueConvolution = "self_attn.v_conv1d.weight";     // [H * V, 1, W]
        public const string DecayLog = "self_attn.A_log";                       // [1, 1, H, 1]; only the first H values count
        public const string DecayBias = "self_attn.dt_bias";                    // [H * K]
        public const string DecayGateDown = "self_attn.f_a_proj.weight";        // [V, D]
        public const string DecayGateUp = "self_attn.f_b_proj.weight";          // [H * K, V]
        public const string Beta = "self_attn.b_proj.weight";                   // [H, D]
        public const string OutputGateDown = "self_attn.g_a_proj.weight";       // [V, D]
        public const string OutputGateUp = "self_attn.g_b_proj.weight";         // [H * V, V]
        public const string OutputNorm = "self_attn.o_norm.weight";             // [V], shared by all heads
        public const string Output = "self_attn.o_proj.weight";                 // [D, H * V]
    }

    /// <summary>Multi-head latent attention; here K is the part of a head's key that comes from the latent row.</summary>
    internal static class LatentAttention
    {
        public const string Query = "self_attn.q_proj.weight";                  // [H * (K + P), D]; per head K, then P
        public const string KeyValueDown = "self_attn.kv_a_proj_with_mqa.weight"; // [R + P, D]
        public const string LatentNorm = "self_attn.kv_a_layernorm.weight";     // [R]
        public const string KeyValueUp = "self_attn.kv_b_proj.weight";          // [H * (K + V), R]; per head K, then V
        public const string Output = "self_attn.o_proj.weight";                 // [D, H * V]
    }

    /// <summary>The dense feed-forward part.</summary>
    internal static class DenseMlp
    {
        public const string Gate = "mlp.gate_proj.weight";  // [F, D]
        public const string Up = "mlp.up_proj.weight";      // [F, D]
        public const string Down = "mlp.down_proj.weight";  // [D, F]
    }

    /// <summary>The sparse feed-forward part; F is the width of one expert, or of all shared experts together.</summary>
    internal static class SparseMoe
    {
        public const string Router = "block_sparse_moe.gate.weight";                                  // [E, D]
        public const string ScoreCorrectionBias = "block_sparse_moe.gate.e_score_correction_bias";    // [E]
        public const string SharedGate = "block_sparse_moe.shared_experts.gate_proj.weight";          // [F, D]
        public const string SharedUp = "block_sparse_moe.shared_experts.up_proj.weight";              // [F, D]
        public const string SharedDown = "block_sparse_moe.shared_experts.down_proj.weight";          // [D, F]

        private const string ExpertPrefix = "block_sparse_moe.experts.";
        private const string RouterPrefix = "block_sparse_moe.gate.";

        /// <summary>Tells whether a name within a layer is the router's: what has a row for each routed expert.</summary>
        public static bool IsRouter(string name) => name.StartsWith(RouterPrefix, StringComparison.Ordinal);

        /// <summary>Tells whether a name within a layer is a routed expert's.</summary>
        public static bool IsExpert(string name) => name.StartsWith(ExpertPrefix, StringComparison.Ordinal);

        /// <summary>Splits a name within a layer into the routed expert's number and what follows it.</summary>
        public static bool TryParseExpert(string name, out int expertIndex, out string rest)
        {
            (expertIndex, rest) = (-1, "");
            if (!IsExpert(name))
            {
                return false;
            }

            int dot = name.IndexOf('.', ExpertPrefix.Length);
            if (dot < 0 || !int.TryParse(name.AsSpan()[ExpertPrefix.Length..dot], NumberStyles.None, null, out expertIndex))
            {
                return false;
            }

            rest = name[(dot + 1)..];
            return true;
        }

        /// <summary>The name within a layer of something of a routed expert's; the inverse of <see cref="TryParseExpert"/>.</summary>
        public static string OfExpert(int expertIndex, string rest) => $"{ExpertPrefix}{expertIndex}.{rest}";

        public static string ExpertGate(int expertIndex) => $"{ExpertPrefix}{expertIndex}.w1.weight"; // [F, D]

        public static string ExpertUp(int expertIndex) => $"{ExpertPrefix}{expertIndex}.w3.weight";   // [F, D]

        public static string ExpertDown(int expertIndex) => $"{ExpertPrefix}{expertIndex}.w2.weight"; // [D, F]
    }
}
