namespace Kimi.Evaluation.Benchmarks;

/// <summary>A problem whose answer is a program, judged by running it.</summary>
/// <param name="scoreNames">The scores that the check gives.</param>
/// <param name="makeJob">Makes what the check needs besides the reply; called late, because tests can be large.</param>
internal sealed class ProgramItem(IReadOnlyList<string> scoreNames, Func<Dictionary<string, object?>> makeJob) : BenchmarkItem
{
    public override IReadOnlyList<string> ScoreNames => scoreNames;

    /// <summary>Takes the program out of the reply; <see langword="null"/> where the check does.</summary>
    public Func<string, string?>? Extract { get; init; }

    public override async Task<Verdict> GradeAsync(string reply, Graders graders, CancellationToken cancellationToken)
    {
        string? program = Extract is null ? reply : Extract(reply);
        if (string.IsNullOrWhiteSpace(program))
        {
            return new Verdict(Outcome.NoAnswer, null, scoreNames.ToDictionary(name => name, _ => false));
        }

        Dictionary<string, object?> job = makeJob();
        job["reply"] = program;
        Verdict verdict = await graders.Programs!.CheckAsync(job, scoreNames, cancellationToken);
        return Extract is null ? verdict : verdict with { Extracted = program };
    }
}
