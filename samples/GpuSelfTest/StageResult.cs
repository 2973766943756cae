namespace GpuSelfTest;

/// <summary>What came of one stage.</summary>
/// <param name="Name">The stage.</param>
/// <param name="Passed">Whether it did what it should.</param>
/// <param name="Detail">What was measured, or what went wrong.</param>
/// <param name="Seconds">How long it took.</param>
/// <param name="Figures">Its numbers by name.</param>
internal sealed record StageResult(
    string Name, bool Passed, string Detail, double Seconds, IReadOnlyDictionary<string, double> Figures);
