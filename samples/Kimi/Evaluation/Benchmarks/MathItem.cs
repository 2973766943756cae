using Kimi.Evaluation.Answers;

namespace Kimi.Evaluation.Benchmarks;

/// <summary>A problem whose answer is a number or an expression.</summary>
internal sealed class MathItem : BenchmarkItem
{
    public override Task<Verdict> GradeAsync(string reply, Graders graders, CancellationToken cancellationToken)
    {
        string? answer = MathAnswer.Extract(reply);
        MathComparison comparison = answer is null ? MathComparison.Different : MathEquality.Compare(answer, Expected!);
        Verdict verdict = Verdict.Of(comparison == MathComparison.Equal, answer);
        return Task.FromResult(
            comparison == MathComparison.Unknown ? verdict with { Outcome = Outcome.FailUnlessSymbolic } : verdict);
    }
}
