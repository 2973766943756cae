namespace Kimi.Evaluation.Answers;

/// <summary>What a comparison of two mathematical answers found.</summary>
internal enum MathComparison
{
    Equal,

    Different,

    /// <summary>Not the same as they stand, but expressions of which only algebra can tell.</summary>
    Unknown,
}
