namespace Kimi.Evaluation.Runs;

/// <summary>How far a run has come.</summary>
/// <param name="Done">Replies judged, or tokens predicted, those of earlier runs included.</param>
/// <param name="Total">How many there will be.</param>
/// <param name="Correct">How many of those judged are right; <see langword="null"/> where nothing is judged.</param>
/// <param name="TimeLeft">How long the rest may take; <see langword="null"/> until something is known.</param>
internal readonly record struct RunProgress(int Done, int Total, int? Correct, TimeSpan? TimeLeft);
