using KimiLinear.Configuration;

namespace KimiLinear.Scheduling;

/// <summary>Estimates how long parts of steps take, from how long steps took.</summary>
/// <remarks>
/// A token of a prompt costs the products with the weights it meets, and in each latent layer two for every value of every row
/// before it. What a product takes, and what a step takes in which requests only write, is learnt as the engine runs.
/// </remarks>
internal sealed class StepCost
{
    // How much of an estimate a new measurement replaces.
    private const double Weight = 0.25;

    // Before anything was measured: little, so that the first piece is not held back.
    private const double FirstMillisecondsPerProduct = 1e-9;
    private const double FirstWriteMilliseconds = 1;

    // Of a mixed step at least this much is counted as reading, however long writing took lately.
    private const double LeastPromptShare = 0.1;

    private readonly double _weightProducts;
    private readonly double _productsPerContextToken;
    private readonly TokenCost _writing = new();
    private double? _millisecondsPerProduct;

    public StepCost(KimiLinearConfig config)
    {
        double attention = (4.0 * config.DeltaLayerCount * config.HiddenDim * config.DeltaDim)
            + (2.0 * config.LatentLayerCount * config.HiddenDim * config.LatentHeadCount * config.LatentValueDim);
        double experts = config.SparseLayers.Count(isSparse => isSparse)
            * 3.0 * config.HiddenDim * ((config.ActiveExpertCount * config.ExpertDim) + config.SharedExpertDim);
        double dense = config.SparseLayers.Count(isSparse => !isSparse) * 3.0 * config.HiddenDim * config.DenseDim;
        _weightProducts = attention + experts + dense;
        _productsPerContextToken = 2.0 * config.LatentLayerCount * config.LatentHeadCount * config.LatentCacheDim;
    }

    /// <summary>Milliseconds of a step in which requests only write.</summary>
    public double WriteMilliseconds => _writing.StepMilliseconds ?? FirstWriteMilliseconds;

    /// <summary>Milliseconds by which a step that only writes grows with a token more; <see langword="null"/> before the first.</summary>
    public double? ExtraTokenMilliseconds => _writing.ExtraMilliseconds;

    /// <summary>Milliseconds of a step that only writes, for each of its tokens.</summary>
    public double? TokenMilliseconds => _writing.MeanMilliseconds;

    /// <summary>Milliseconds that so many tokens of a prompt behind so many others are expected to take.</summary>
    public double PieceMilliseconds(int tokenCount, int contextTokens) =>
        Products(tokenCount, contextTokens) * (_millisecondsPerProduct ?? FirstMillisecondsPerProduct);

    /// <summary>Products of so many tokens behind so many others.</summary>
    public double Products(int tokenCount, int contextTokens) =>
        tokenCount * (_weightProducts + (_productsPerContextToken * (contextTokens + (tokenCount / 2.0))));

    /// <summary>Learns from a step.</summary>
    /// <param name="pieceProducts">Products of the pieces of prompts in it.</param>
    /// <param name="writtenTokens">Tokens that requests past their prompts read in it, guesses included.</param>
    /// <param name="milliseconds">How long it took.</param>
    public void Learn(double pieceProducts, int writtenTokens, double milliseconds)
    {
        if (pieceProducts == 0)
        {
            _writing.Learn(writtenTokens, milliseconds);
            return;
        }

        double reading = writtenTokens > 0
            ? Math.Max(milliseconds - WriteMilliseconds, milliseconds * LeastPromptShare)
            : milliseconds;
        double perProduct = reading / pieceProducts;
        _millisecondsPerProduct = _millisecondsPerProduct is { } old ? old + (Weight * (perProduct - old)) : perProduct;
    }
}
