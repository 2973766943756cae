using Kimi.Evaluation.Statistics;

namespace Kimi.Evaluation.Perplexity;

/// <summary>A value and its interval.</summary>
internal sealed record Estimate(double Value, Interval Interval)
{
    /// <summary>The same of exp; the interval goes along, because exp only rises.</summary>
    public Estimate Exp() => new(Math.Exp(Value), new Interval(Math.Exp(Interval.Low), Math.Exp(Interval.High)));
}
