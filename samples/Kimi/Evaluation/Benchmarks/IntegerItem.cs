using System.Globalization;
using System.Numerics;
using Kimi.Evaluation.Answers;

namespace Kimi.Evaluation.Benchmarks;

/// <summary>A problem whose answer is a whole number, compared as such.</summary>
internal sealed class IntegerItem : BenchmarkItem
{
    public override Task<Verdict> GradeAsync(string reply, Graders graders, CancellationToken cancellationToken)
    {
        string? answer = MathAnswer.Extract(reply);
        bool isCorrect = answer is not null
            && BigInteger.TryParse(
                MathText.Normalize(answer), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out BigInteger given)
            && given == BigInteger.Parse(Expected!, CultureInfo.InvariantCulture);
        return Task.FromResult(Verdict.Of(isCorrect, answer));
    }
}
