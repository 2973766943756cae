using Kimi.Evaluation.Execution;

namespace Kimi.Evaluation;

/// <summary>What judging may need besides the reply.</summary>
/// <param name="Programs">Runs generated programs; <see langword="null"/> when the benchmark has none.</param>
/// <param name="Judge">A model that compares answers; <see langword="null"/> for exact comparison.</param>
internal sealed record Graders(ProgramChecker? Programs = null, AnswerJudge? Judge = null);
