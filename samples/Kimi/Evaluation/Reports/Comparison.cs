using Kimi.CommandLine;
using Kimi.Evaluation.Runs;

namespace Kimi.Evaluation.Reports;

/// <summary>Two models on the same items.</summary>
internal sealed record Comparison
{
    public required RunProtocol A { get; init; }

    public required RunProtocol B { get; init; }

    /// <summary>Items that both runs have; only these are compared.</summary>
    public required int Items { get; init; }

    /// <summary>Items that only one of the runs has.</summary>
    public required int ItemsLeftOut { get; init; }

    /// <summary>In what the protocols differ, apart from the model.</summary>
    public required IReadOnlyList<string> Differences { get; init; }

    public required IReadOnlyList<ComparedScore> Scores { get; init; }

    /// <exception cref="CommandException">The runs are of different benchmarks, or have no item in common.</exception>
    public static Comparison Of(
        (RunProtocol Protocol, IReadOnlyList<ItemResult> Items) first,
        (RunProtocol Protocol, IReadOnlyList<ItemResult> Items) second)
    {
        (RunProtocol a, IReadOnlyList<ItemResult> resultsOfA) = first;
        (RunProtocol b, IReadOnlyList<ItemResult> resultsOfB) = second;
        if (a.Benchmark != b.Benchmark)
        {
            throw new CommandException(
                $"The runs are of different benchmarks, {a.Benchmark} and {b.Benchmark}, and cannot be compared.");
        }

        Dictionary<string, ItemResult[]> itemsOfA = ById(resultsOfA);
        Dictionary<string, ItemResult[]> itemsOfB = ById(resultsOfB);
        string[] ids = [.. itemsOfA.Keys.Where(itemsOfB.ContainsKey)];
        if (ids.Length == 0)
        {
            throw new CommandException("The runs have no item in common, so there is nothing to compare.");
        }

        // With cut prompts, models of different tokenizers cannot have been asked the same to the letter.
        string? changed = ids.FirstOrDefault(id => itemsOfA[id][0].PromptSha256 != itemsOfB[id][0].PromptSha256);
        if (changed is not null && a.MaxInputTokens is null && b.MaxInputTokens is null)
        {
            throw new CommandException($"The runs asked item '{changed}' with different words, and cannot be compared.");
        }

        string[] names = [.. resultsOfA.SelectMany(result => result.Scores.Keys).Distinct()];
        return new Comparison
        {
            A = a,
            B = b,
            Items = ids.Length,
            ItemsLeftOut = itemsOfA.Count + itemsOfB.Count - (2 * ids.Length),
            Differences = [.. a.DifferencesTo(b with { Model = a.Model, Location = a.Location, Items = a.Items })],
            Scores =
            [
                .. names.Select(name => ComparedScore.Of(
                    name,
                    [.. ids.Select(id => Passed(itemsOfA[id], name))],
                    [.. ids.Select(id => Passed(itemsOfB[id], name))],
                    (ulong)a.Seed)),
            ],
        };
    }

    private static Dictionary<string, ItemResult[]> ById(IReadOnlyList<ItemResult> results) =>
        results.GroupBy(result => result.Id).ToDictionary(item => item.Key, item => item.ToArray());

    private static bool[] Passed(ItemResult[] replies, string score) =>
        [.. replies.Select(reply => reply.Scores.GetValueOrDefault(score))];
}
