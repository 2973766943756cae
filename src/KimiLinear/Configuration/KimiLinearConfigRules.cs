namespace KimiLinear.Configuration;

/// <summary>The rules that concern several values at once, whatever file they were read from.</summary>
internal static class KimiLinearConfigRules
{
    // Widths are ints throughout; above this a product of head count and head width is a damaged file, not a model.
    private const long MaxJoinedDim = 1 << 24;

    // Each expert of each layer has tensors of its own, all of which are listed before any is looked for. Far above the largest
    // model known, 93 layers of 896.
    private const long MaxLayerExperts = 1 << 20;

    // The group score is the sum of the two best experts of the group.
    private const int MinExpertsPerGroup = 2;

    /// <summary>Refuses a configuration whose values do not fit together.</summary>
    /// <exception cref="ModelConfigurationException">They do not; the message names the keys and the values.</exception>
    public static void Check(KimiLinearConfig config, string? filePath)
    {
        CheckJoinedDim(
            config.DeltaHeadCount, config.DeltaHeadDim, "linear_attn_config.num_heads", "linear_attn_config.head_dim", filePath);
        CheckJoinedDim(
            config.LatentHeadCount, config.QkNopeHeadDim + Math.Max(config.QkRopeHeadDim, config.LatentValueDim),
            "num_attention_heads", "the head's width", filePath);
        if (config.ExpertCount > 0)
        {
            CheckProduct(
                config.LayerCount, config.ExpertCount, MaxLayerExperts, "num_hidden_layers", "num_experts", filePath);
            CheckJoinedDim(config.SharedExpertCount, config.ExpertDim, "num_shared_experts", "moe_intermediate_size", filePath);
            CheckSelection(config, filePath);
        }
    }

    private static void CheckSelection(KimiLinearConfig config, string? filePath)
    {
        (int experts, int active, int groups, int activeGroups) =
            (config.ExpertCount, config.ActiveExpertCount, config.ExpertGroupCount, config.ActiveExpertGroupCount);
        if (active > experts)
        {
            throw Refuse($"num_experts_per_token must be at most num_experts ({experts}), but is {active}", filePath);
        }

        if (groups > 1 && experts % groups != 0)
        {
            throw Refuse($"num_expert_group must divide num_experts ({experts}), but is {groups}", filePath);
        }

        if (groups > 1 && experts / groups < MinExpertsPerGroup)
        {
            throw Refuse(
                $"num_expert_group must leave at least {MinExpertsPerGroup} of the {experts} experts to a group, but is {groups}",
                filePath);
        }

        if (activeGroups > groups)
        {
            throw Refuse($"topk_group must be at most num_expert_group ({groups}), but is {activeGroups}", filePath);
        }

        int reachable = experts / groups * activeGroups;
        if (active > reachable)
        {
            throw Refuse(
                $"num_experts_per_token must be at most {reachable}, the experts that topk_group ({activeGroups}) keeps of "
                + $"num_expert_group ({groups}), but is {active}",
                filePath);
        }
    }

    private static void CheckJoinedDim(int count, int dim, string countKey, string dimKey, string? filePath) =>
        CheckProduct(count, dim, MaxJoinedDim, countKey, dimKey, filePath);

    private static void CheckProduct(int a, int b, long max, string keyOfA, string keyOfB, string? filePath)
    {
        if ((long)a * b > max)
        {
            throw Refuse($"{keyOfA} × {keyOfB} must be at most {max}, but is {a} × {b}", filePath);
        }
    }

    private static ModelConfigurationException Refuse(string sentence, string? filePath) =>
        new($"{sentence} in {(filePath is null ? "the configuration" : $"'{filePath}'")}.", filePath);
}
