using System.Text;

namespace KimiLinear.Checkpoints;

/// <summary>Findings for one message: the first ones in full, the rest as a number.</summary>
/// <param name="problems">One sentence each, without the full stop.</param>
/// <param name="maxListed">How many are written out.</param>
internal sealed class ProblemList(IReadOnlyList<string> problems, int maxListed)
{
    public int Count => problems.Count;

    /// <summary>One line per problem, each beginning on a new line.</summary>
    public override string ToString()
    {
        StringBuilder text = new();
        foreach (string problem in problems.Take(maxListed))
        {
            _ = text.Append("\n  ").Append(problem).Append('.');
        }

        if (problems.Count > maxListed)
        {
            _ = text.Append("\n  … and ").Append(problems.Count - maxListed).Append(" more.");
        }

        return text.ToString();
    }
}
