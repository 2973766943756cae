using System.Text.Json;

namespace KimiLinear.Configuration;

/// <summary>
/// Which layer is of which kind, from either way a configuration states it; the only place that counts layers from one.
/// </summary>
/// <param name="json">The outermost object of <c>config.json</c>.</param>
/// <param name="linear">Its <c>linear_attn_config</c>, if it has one.</param>
/// <param name="layerCount">Number of decoder layers.</param>
internal sealed class LayerLists(ConfigurationObject json, ConfigurationObject? linear, int layerCount)
{
    private const string DeltaLayers = "kda_layers";
    private const string LatentLayers = "full_attn_layers";
    private const string KindByLayer = "layer_types";
    private const string SparsityByLayer = "mlp_layer_types";

    /// <summary>Reads the attention kind of every layer.</summary>
    public LayerKind[] ReadKinds()
    {
        LayerKind[]? byLayer = ReadKindByLayer();
        bool hasLists = linear is not null && (linear.Has(DeltaLayers) || linear.Has(LatentLayers));
        LayerKind[]? fromLists = hasLists ? ReadOneBasedLists(linear!) : null;
        if (byLayer is not null && fromLists is not null && !byLayer.AsSpan().SequenceEqual(fromLists))
        {
            throw json.Refuse(KindByLayer, "must agree with the layer lists of linear_attn_config", "names other layers");
        }

        return byLayer ?? fromLists
            ?? throw json.Missing(new($"linear_attn_config.{DeltaLayers} with {LatentLayers}", KindByLayer));
    }

    /// <summary>Reads for every layer whether its feed-forward part is a mixture of experts.</summary>
    public bool[] ReadSparse(bool hasExperts)
    {
        int firstSparse = json.OptionalInteger("first_k_dense_replace", 0, int.MaxValue) ?? 0;
        int frequency = json.OptionalInteger("moe_layer_freq", 1, int.MaxValue) ?? 1;
        JsonElement[]? names = json.OptionalList(SparsityByLayer, JsonValueKind.String, "\"dense\" and \"sparse\"");
        if (names is null)
        {
            return
            [
                .. Enumerable.Range(0, layerCount)
                    .Select(layer => hasExperts && layer >= firstSparse && layer % frequency == 0),
            ];
        }

        RequireOnePerLayer(SparsityByLayer, names);
        bool[] sparse = [.. names.Select(name => name.GetString() switch
        {
            "dense" => false,
            "sparse" => true,
            _ => throw json.Refuse(SparsityByLayer, "must be a list of \"dense\" and \"sparse\"", name, name),
        })];
        return hasExperts || !sparse.Contains(true)
            ? sparse
            : throw json.Refuse(SparsityByLayer, "must not name sparse layers when num_experts is 0 or absent", "does");
    }

    private LayerKind[]? ReadKindByLayer()
    {
        const string rule = "must be a list of \"linear_attention\" (or \"kda_attention\") and \"full_attention\"";
        JsonElement[]? names = json.OptionalList(KindByLayer, JsonValueKind.String, "strings");
        if (names is null)
        {
            return null;
        }

        RequireOnePerLayer(KindByLayer, names);
        return [.. names.Select(name => name.GetString() switch
        {
            "linear_attention" or "kda_attention" => LayerKind.KimiDelta,
            "full_attention" => LayerKind.Latent,
            _ => throw json.Refuse(KindByLayer, rule, name, name),
        })];
    }

    private LayerKind[] ReadOneBasedLists(ConfigurationObject lists)
    {
        LayerKind?[] kinds = new LayerKind?[layerCount];
        Assign(lists, DeltaLayers, LayerKind.KimiDelta, kinds);
        Assign(lists, LatentLayers, LayerKind.Latent, kinds);

        int missing = Array.IndexOf(kinds, null);
        return missing < 0
            ? [.. kinds.Select(kind => kind!.Value)]
            : throw lists.Refuse(
                DeltaLayers,
                $"and {LatentLayers} together must name each layer from 1 to {layerCount} once",
                $"neither names layer {missing + 1}");
    }

    private void Assign(ConfigurationObject lists, string key, LayerKind kind, LayerKind?[] kinds)
    {
        JsonElement[] oneBased = lists.OptionalList(key, JsonValueKind.Number, "whole numbers") ?? throw lists.Missing(key);
        foreach (JsonElement element in oneBased)
        {
            if (!element.TryGetInt32(out int layerOneBased) || layerOneBased < 1 || layerOneBased > layerCount)
            {
                throw lists.Refuse(
                    key, $"must name layers by whole numbers from 1 to {layerCount}, counting from 1", element, element);
            }

            ref LayerKind? slot = ref kinds[layerOneBased - 1];
            if (slot is not null)
            {
                string where = slot == kind ? "twice" : $"also in {DeltaLayers}";
                throw lists.Refuse(key, "must name each layer once", $"layer {layerOneBased} is named {where}");
            }

            slot = kind;
        }
    }

    private void RequireOnePerLayer(string key, JsonElement[] names)
    {
        if (names.Length != layerCount)
        {
            throw json.Refuse(key, $"must have one entry for each of the {layerCount} layers", $"has {names.Length}");
        }
    }
}
