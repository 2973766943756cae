using FsCheck;
using FsCheck.Fluent;
using KimiLinear.Scheduling;
using Xunit;

namespace KimiLinear.Tests.Scheduling;

/// <summary>The radix tree against a dictionary of whole sequences.</summary>
public sealed class PrefixTreeTests
{
    [Fact]
    public void Find_AnyOperations_AgreesWithDictionary()
    {
        // Three tokens only, so that sequences part, join and extend each other all the time.
        Gen<int[]> sequence = Gen.Choose(0, 2).ArrayOf().Resize(6);
        Gen<(bool Adds, int[] Tokens)[]> operations = Gen.Choose(0, 2).SelectMany(
            choice => sequence.Select(tokens => (choice > 0, tokens))).ArrayOf().Resize(40);

        Prop.ForAll(operations.ToArbitrary(), sequence.ToArbitrary(), (steps, query) =>
        {
            PrefixTree<string> tree = new();
            Dictionary<string, int[]> kept = [];
            HashSet<string> paths = [];
            foreach ((bool adds, int[] tokens) in steps)
            {
                string key = Key(tokens);
                if (adds)
                {
                    tree.Set(tokens, key);
                    kept[key] = tokens;
                }
                else
                {
                    tree.Remove(tokens);
                    kept.Remove(key);
                }

                Assert.Equal(kept.ContainsKey(key) ? key : null, tree.Get(tokens));
            }

            foreach (int maxLength in Enumerable.Range(0, query.Length + 1))
            {
                int length = tree.Find(query, maxLength, out string? value);

                Assert.Equal(
                    kept.Values.Where(tokens => tokens.Length <= maxLength && query.AsSpan().StartsWith(tokens))
                        .Select(Key).MaxBy(key => key.Length),
                    value);
                Assert.Equal(
                    kept.Values.Select(tokens => query.AsSpan().CommonPrefixLength(tokens)).DefaultIfEmpty(0).Max(), length);
            }
        }).QuickCheckThrowOnFailure();
    }

    private static string Key(int[] tokens) => string.Join(',', tokens);
}
