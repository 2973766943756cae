using System.Globalization;

namespace KimiLinear.Checkpoints;

/// <summary>The only place that spells tensor names the way GGUF files do.</summary>
/// <remarks>The letters are those of <see cref="WeightNames"/>; shapes are outermost first.</remarks>
internal static class GgufNames
{
    public const string TokenEmbedding = "token_embd.weight";           // [N, D]
    public const string Head = "output.weight";                         // [N, D], absent when tied to the embedding
    public const string DecayFactor = "ssm_a";                          // [H, 1] or [1, 1, H, 1]; −exp of the decay's logarithm
    public const string DecayBias = "ssm_dt.bias";                      // [H * K]
    public const string QueryKeyValue = "attn_qkv.weight";              // [3 * H * K, D]; query, key, value
    public const string KeyValueDown = "attn_kv_a_mqa.weight";          // [R + P, D]
    public const string LatentNorm = "attn_kv_a_norm.weight";           // [R]
    public const string KeyUp = "attn_k_b.weight";                      // [H, R, K]
    public const string ValueUp = "attn_v_b.weight";                    // [H, V, R]
    public const string KeyValueUp = "attn_kv_b.weight";                // [H * (K + V), R], in older files instead of the two
    public const string ExpertGates = "ffn_gate_exps.weight";           // [E, F, D]
    public const string ExpertUps = "ffn_up_exps.weight";               // [E, F, D]
    public const string ExpertGatesAndUps = "ffn_gate_up_exps.weight";  // [E, 2 * F, D]; per expert gate, then up
    public const string ExpertDowns = "ffn_down_exps.weight";           // [E, D, F]

    public const string Router = "ffn_gate_inp.weight";                 // [E, D]
    public const string ScoreCorrectionBias = "exp_probs_b.bias";       // [E]

    private const string LayerPrefix = "blk.";
    private const string FinalNorm = "output_norm.weight";              // [D]

    /// <summary>Tensors of a layer whose outermost axis counts the routed experts.</summary>
    public static readonly IReadOnlySet<string> PerExpert = new HashSet<string>
    {
        Router, ScoreCorrectionBias, ExpertGates, ExpertUps, ExpertGatesAndUps, ExpertDowns,
    };

    /// <summary>Tensors outside the layers that are taken as they are.</summary>
    public static readonly IReadOnlyDictionary<string, string> Global = new Dictionary<string, string>
    {
        [TokenEmbedding] = WeightNames.TokenEmbedding,
        [FinalNorm] = WeightNames.FinalNorm,
        [Head] = WeightNames.Head,
    };

    /// <summary>Tensors of a layer that are taken as they are.</summary>
    public static readonly IReadOnlyDictionary<string, string> Plain = new Dictionary<string, string>
    {
        ["attn_norm.weight"] = WeightNames.InputNorm,
        ["ffn_norm.weight"] = WeightNames.FeedForwardNorm,
        ["attn_q.weight"] = WeightNames.KimiDelta.Query, // in latent layers too
        ["attn_k.weight"] = WeightNames.KimiDelta.Key,
        ["attn_v.weight"] = WeightNames.KimiDelta.Value,
        ["attn_output.weight"] = WeightNames.KimiDelta.Output,
        [DecayBias] = WeightNames.KimiDelta.DecayBias,
        ["ssm_f_a.weight"] = WeightNames.KimiDelta.DecayGateDown,
        ["ssm_f_b.weight"] = WeightNames.KimiDelta.DecayGateUp,
        ["ssm_beta.weight"] = WeightNames.KimiDelta.Beta,
        ["ssm_g_a.weight"] = WeightNames.KimiDelta.OutputGateDown,
        ["ssm_g_b.weight"] = WeightNames.KimiDelta.OutputGateUp,
        ["ssm_norm.weight"] = WeightNames.KimiDelta.OutputNorm,
        [KeyValueDown] = WeightNames.LatentAttention.KeyValueDown,
        [LatentNorm] = WeightNames.LatentAttention.LatentNorm,
        [KeyValueUp] = WeightNames.LatentAttention.KeyValueUp,
        ["ffn_gate.weight"] = WeightNames.DenseMlp.Gate,
        ["ffn_up.weight"] = WeightNames.DenseMlp.Up,
        ["ffn_down.weight"] = WeightNames.DenseMlp.Down,
        [Router] = WeightNames.SparseMoe.Router,
        [ScoreCorrectionBias] = WeightNames.SparseMoe.ScoreCorrectionBias,
        ["ffn_gate_shexp.weight"] = WeightNames.SparseMoe.SharedGate,
        ["ffn_up_shexp.weight"] = WeightNames.SparseMoe.SharedUp,
        ["ffn_down_shexp.weight"] = WeightNames.SparseMoe.SharedDown,
    };

    /// <summary>The convolutions of a layer, stored [1, H * K, 1, W] or without the leading axis.</summary>
    public static readonly IReadOnlyDictionary<string, string> Convolutions = new Dictionary<string, string>
    {
        ["ssm_conv1d_q.weight"] = WeightNames.KimiDelta.QueryConvolution,
        ["ssm_conv1d_k.weight"] = WeightNames.KimiDelta.KeyConvolution,
        ["ssm_conv1d_v.weight"] = WeightNames.KimiDelta.ValueConvolution,
    };

    /// <summary>The full name of a tensor of one layer.</summary>
    public static string InLayer(int layerIndex, string name) =>
        string.Create(CultureInfo.InvariantCulture, $"{LayerPrefix}{layerIndex}.{name}");

    /// <summary>Splits a full name into its layer and the rest; <see langword="false"/> when it is no layer's tensor.</summary>
    public static bool TryParseLayer(string fullName, out int layerIndex, out string name)
    {
        (layerIndex, name) = (-1, "");
        int dot = fullName.IndexOf('.', Math.Min(LayerPrefix.Length, fullName.Length));
        if (!fullName.StartsWith(LayerPrefix, StringComparison.Ordinal) || dot < 0
            || !int.TryParse(
                fullName.AsSpan()[LayerPrefix.Length..dot], NumberStyles.None, CultureInfo.InvariantCulture, out layerIndex))
        {
            return false;
        }

        name = fullName[(dot + 1)..];
        return fullName == InLayer(layerIndex, name);
    }
}
