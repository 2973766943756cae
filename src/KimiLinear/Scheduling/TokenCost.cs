namespace KimiLinear.Scheduling;

/// <summary>What a token costs in steps that only write: on the average, and one more in a step.</summary>
/// <remarks>
/// A line through the steps of late, tokens against milliseconds, newer ones weighing more. Where they all had about as many
/// tokens it says little; then it leans towards the assumption that a step costs what its tokens do and eight more.
/// </remarks>
internal sealed class TokenCost
{
    // How much of the record a new step replaces.
    private const double Weight = 0.1;

    // What reading weights takes, in tokens, until steps of different lengths tell.
    private const double FirstFixedTokens = 8;

    // The assumption counts as much as steps that differ by this part of their tokens.
    private const double AssumedSpread = 0.1;

    private bool _hasLearnt;
    private double _tokens;
    private double _milliseconds;
    private double _variance;
    private double _covariance;

    /// <summary>Milliseconds of a step; <see langword="null"/> before the first.</summary>
    public double? StepMilliseconds => _hasLearnt ? _milliseconds : null;

    /// <summary>Milliseconds of a step for each of its tokens; <see langword="null"/> before the first.</summary>
    public double? MeanMilliseconds => _hasLearnt ? _milliseconds / _tokens : null;

    /// <summary>Milliseconds by which a step grows with a token more; <see langword="null"/> before the first.</summary>
    public double? ExtraMilliseconds
    {
        get
        {
            if (!_hasLearnt)
            {
                return null;
            }

            double assumed = _milliseconds / (_tokens + FirstFixedTokens);
            double assumedVariance = AssumedSpread * _tokens * AssumedSpread * _tokens;
            double slope = (_covariance + (assumedVariance * assumed)) / (_variance + assumedVariance);
            return Math.Clamp(slope, 0, _milliseconds / _tokens);
        }
    }

    /// <summary>Learns from a step.</summary>
    /// <param name="tokens">How many it read, at least one.</param>
    /// <param name="milliseconds">How long it took.</param>
    public void Learn(int tokens, double milliseconds)
    {
        if (!_hasLearnt)
        {
            (_hasLearnt, _tokens, _milliseconds) = (true, tokens, milliseconds);
            return;
        }

        double tokenStep = tokens - _tokens;
        double timeStep = milliseconds - _milliseconds;
        _tokens += Weight * tokenStep;
        _milliseconds += Weight * timeStep;
        _variance = (1 - Weight) * (_variance + (Weight * tokenStep * tokenStep));
        _covariance = (1 - Weight) * (_covariance + (Weight * tokenStep * timeStep));
    }
}
