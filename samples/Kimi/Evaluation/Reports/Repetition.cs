namespace Kimi.Evaluation.Reports;

/// <summary>Tells replies that go round in circles.</summary>
internal static class Repetition
{
    private const int Words = 4;

    private const double LeastDistinct = 0.55;

    /// <summary>Whether fewer than 55 % of a text's sequences of four words are distinct (distinct-4).</summary>
    public static bool IsDegenerate(string text)
    {
        string[] words = text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        int count = words.Length - Words + 1;
        return count > 0
            && Enumerable.Range(0, count).Select(i => string.Join(' ', words, i, Words)).Distinct().Count()
                < LeastDistinct * count;
    }
}
