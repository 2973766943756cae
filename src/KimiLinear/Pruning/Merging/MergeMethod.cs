namespace KimiLinear.Pruning;

/// <summary>How experts are merged; to compare pruning with.</summary>
public enum MergeMethod
{
    /// <summary>
    /// HC-SMoE (arXiv 2410.08589): in each layer, experts with similar mean outputs are clustered by average linkage, the same number
    /// of clusters everywhere, and averaged by how often they are visited.
    /// </summary>
    HcSmoe,

    /// <summary>
    /// M-SMoE (arXiv 2310.01334), without its low-rank step: the most visited experts of all layers stay; each other one joins the one
    /// of its layer whose router logits are most like its own, has its inner units put into that one's order, and is averaged by how
    /// often it is visited.
    /// </summary>
    MSmoe,
}
