namespace KimiLinear.Pruning;

/// <summary>By what experts are chosen; a high score is kept.</summary>
/// <remarks>
/// Over the tokens routed to an expert: c their number, n the norm of the expert's output before it is weighted, g its weight.
/// An expert without tokens scores 0 by all of them but <see cref="Random"/>.
/// </remarks>
public enum PruningCriterion
{
    /// <summary>Σ g·n / c: REAP, arXiv 2510.13999, equation 9.</summary>
    Reap,

    /// <summary>c.</summary>
    Frequency,

    /// <summary>Σ n: EAN, the expert's activation norm.</summary>
    EanSum,

    /// <summary>Σ n / c; "MAN" of arXiv 2606.15716.</summary>
    EanMean,

    /// <summary>A random number that depends on the seed, the layer and the expert: what any criterion must beat.</summary>
    Random,

    /// <summary>Σ g: a soft count.</summary>
    GateSum,

    /// <summary>Σ g·n.</summary>
    WeightedEanSum,

    /// <summary>The largest absolute value of an output.</summary>
    MaxActivation,

    /// <summary>√(Σ (g·n)² / c).</summary>
    ReapL2,

    /// <summary>√(Σ (g·n)²).</summary>
    WeightedEanSumL2,

    /// <summary>Σ n² / c; "MSAN" of arXiv 2606.15716.</summary>
    MeanSquaredNorm,

    /// <summary>c as a part of all tokens: the same order as <see cref="Frequency"/>.</summary>
    Probability,

    /// <summary>
    /// ‖Σ f‖ / c, f being the output itself: the norm of the mean output ("characteristic activation"). It needs an observation with
    /// <see cref="ObservationOptions.SumsOutputs"/>.
    /// </summary>
    EanCa,
}
