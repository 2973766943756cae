using System.Text.RegularExpressions;

namespace Kimi.Evaluation.Answers;

/// <summary>Finds the final answer in a worked solution.</summary>
internal static partial class MathAnswer
{
    /// <summary>
    /// The answer as the model wrote it: the sentence that Minerva's prompts ask for, else the last box, else what follows the
    /// last of some phrases, else the last number; <see langword="null"/> when there is none of them.
    /// </summary>
    public static string? Extract(string reply)
    {
        string? found = Minerva(reply) ?? LastBox(reply);
        foreach (string phrase in (string[])["he answer is", "final answer is", "答案是", "ANSWER:"])
        {
            found ??= After(phrase, reply);
        }

        return found is null ? LastNumber(reply) : found.Trim().TrimStart(':').TrimEnd('.').Trim();
    }

    // "… the final answer is $42$. I hope it is correct."
    private static string? Minerva(string reply)
    {
        const string begin = "final answer is $";
        int at = reply.IndexOf(begin, StringComparison.Ordinal);
        int end = at < 0 ? -1 : reply.IndexOf("$. I hope", at + begin.Length, StringComparison.Ordinal);
        return end < 0 ? null : reply[(at + begin.Length)..end];
    }

    private static string? LastBox(string reply)
    {
        int at = reply.LastIndexOf("boxed", StringComparison.Ordinal);
        if (at < 0)
        {
            return null;
        }

        string rest = reply[(at + "boxed".Length)..];
        if (!rest.StartsWith('{'))
        {
            string plain = rest.Split('$', '\n')[0].Trim();
            return plain.Length == 0 ? null : plain;
        }

        int depth = 0;
        for (int i = 0; i < rest.Length; i++)
        {
            depth += rest[i] == '{' ? 1 : rest[i] == '}' ? -1 : 0;
            if (depth == 0)
            {
                return rest[1..i];
            }
        }

        // The reply ended within the box.
        return rest[1..];
    }

    private static string? After(string phrase, string reply)
    {
        int at = reply.LastIndexOf(phrase, StringComparison.Ordinal);
        string? rest = at < 0 ? null : reply[(at + phrase.Length)..].Trim().TrimStart(':').Trim();

        // What follows in further paragraphs is not the answer.
        return string.IsNullOrEmpty(rest) ? null : rest.Split("\n")[0];
    }

    private static string? LastNumber(string reply)
    {
        MatchCollection numbers = Number().Matches(reply.Replace(",", "", StringComparison.Ordinal));
        return numbers.Count == 0 ? null : numbers[^1].Value;
    }

    [GeneratedRegex(@"-?\d*\.?\d+")]
    private static partial Regex Number();
}
