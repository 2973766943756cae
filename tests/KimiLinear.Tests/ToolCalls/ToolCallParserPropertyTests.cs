using FsCheck;
using FsCheck.Fluent;
using KimiLinear.ToolCalls;
using Xunit;

namespace KimiLinear.Tests.ToolCalls;

/// <summary>Replies assembled from all that may occur in one, cut anywhere.</summary>
public sealed class ToolCallParserPropertyTests
{
    private static readonly Dictionary<int, MarkerSpelling> MarkerIds =
        MarkerScanner.Spellings.Index().ToDictionary(pair => pair.Index, pair => pair.Item);

    private static readonly Gen<string> Fragments = Gen.Frequency(
        (6, Gen.Elements(MarkerScanner.Spellings.Select(spelling => spelling.Text))),
        (2, Gen.Elements("functions.get_weather:0", "functions.search:1", "search:2", "functions_search_0")),
        (1, Gen.Elements("3", "call_abc", "functions.no:1")),
        (2, Gen.Elements("{}", "{\"query\": 1}", "{\"name\": \"search\", \"arguments\": {}}")),
        (1, Gen.Elements("{\"city\"", ": \"x\"}", "[1", "}")),
        (3, Gen.Elements(" ", "\n", "Hello", " and ", "é世😀", "\uD800", "\uDC00")),
        (1, Gen.Elements("<", "<|", "<|tool_call", "<|tool_calls_section_", "_begin|>", "|>", "<|im_end|>")));

    private static readonly Gen<string[]> Replies = Gen.Choose(0, 25).SelectMany(count => Fragments.ArrayOf(count));

    // A reply that frames calls properly around anything, so that the deep states are reached often.
    private static readonly Gen<string[]> FramedReplies = Fragments.Four().ArrayOf(4).Select(calls => calls.SelectMany(
        call => new[]
        {
            call.Item1, ToolCallMarkers.CallBegin, call.Item2, ToolCallMarkers.ArgumentBegin, call.Item3, call.Item4,
            ToolCallMarkers.CallEnd,
        }).ToArray());

    private static readonly Config Config = Config.QuickThrowOnFailure.WithMaxTest(2000);

    [Fact]
    public void Append_AnyCuts_GivesTheSameEvents()
    {
        Gen<int[]> cuts = Gen.Choose(1, 12).ArrayOf(10);

        Check.One(Config, Prop.ForAll(Gen.OneOf(Replies, FramedReplies).ToArbitrary(), cuts.ToArbitrary(), (fragments, lengths) =>
        {
            string reply = string.Concat(fragments);

            Assert.Equal(Events([reply]), Events(Cut(reply, lengths)));
            Assert.Equal(Events([reply]), Events([.. reply.Select(unit => unit.ToString())]));
        }));
    }

    [Fact]
    public void Append_MarkersByIdOrByText_GivesTheSameEvents() =>
        Check.One(Config, Prop.ForAll(Gen.OneOf(Replies, FramedReplies).ToArbitrary(), fragments =>
        {
            // only where no fragments join to a marker does the text say the same as the ids
            string[] whole = [.. fragments.Where(fragment => IdOf(fragment) >= 0 || !fragment.AsSpan().ContainsAny('<', '|'))];

            Assert.Equal(Events([string.Concat(whole)]), Events(whole, withIds: true, markerText: true));
            Assert.Equal(Events([string.Concat(whole)]), Events(whole, withIds: true, markerText: false));
        }));

    [Fact]
    public void Append_AnyStrings_NeverThrowsAndLosesNoTextWithoutMarkers() =>
        Check.One(Config, Prop.ForAll(ArbMap.Default.ArbFor<string[]>(), strings =>
        {
            string[] pieces = [.. strings.Select(piece => piece ?? "")];

            Assert.Equal(string.Concat(pieces), string.Concat(Events(pieces).Select(found => found.Text)));
        }));

    [Fact]
    public void Append_AnyReply_DeltasAddUpToTheCompletedCall() =>
        Check.One(Config, Prop.ForAll(Gen.OneOf(Replies, FramedReplies).ToArbitrary(), fragments =>
        {
            List<ToolCallEvent> events = Events([string.Concat(fragments)]);
            int nextIndex = 0;
            foreach (ToolCallEvent completed in events.Where(found => found.Kind == ToolCallEventKind.CallCompleted))
            {
                ToolCallEvent[] ofCall = [.. events.Where(found => found.CallIndex == nextIndex)];

                Assert.Equal(nextIndex++, completed.CallIndex);
                Assert.Equal(ToolCallEventKind.CallStarted, ofCall[0].Kind);
                Assert.Equal(completed.Call! with { Arguments = "" }, ofCall[0].Call);
                Assert.Equal(completed.Call.Arguments, string.Concat(ofCall.Select(found => found.Text)));
                Assert.Contains(ToolSet.Weather, tool => tool.Name == completed.Call.Name);
            }
        }));

    private static int IdOf(string fragment) =>
        Array.FindIndex(MarkerScanner.Spellings, spelling => spelling.Text == fragment);

    private static IEnumerable<string> Cut(string reply, int[] lengths)
    {
        int start = 0;
        for (int i = 0; start < reply.Length; i++)
        {
            int length = Math.Min(lengths[i % lengths.Length], reply.Length - start);
            yield return reply.Substring(start, length);
            start += length;
        }
    }

    // All events, neighbouring pieces of text and of arguments joined.
    private static List<ToolCallEvent> Events(IEnumerable<string> pieces, bool withIds = false, bool markerText = true)
    {
        ToolCallParser parser = new(ToolSet.Weather, withIds ? MarkerIds : []);
        List<ToolCallEvent> events = [];
        foreach (string piece in pieces)
        {
            int id = withIds ? IdOf(piece) : -1;
            Add(id < 0 ? parser.Append(piece) : parser.Append(id, markerText ? piece : ""));
        }

        Add(parser.Complete());
        return events;

        void Add(IReadOnlyList<ToolCallEvent> found)
        {
            foreach (ToolCallEvent next in found)
            {
                bool isPiece = next.Kind is ToolCallEventKind.Text or ToolCallEventKind.Arguments;
                if (isPiece && events.Count > 0 && events[^1].Kind == next.Kind && events[^1].CallIndex == next.CallIndex)
                {
                    events[^1] = next with { Text = events[^1].Text + next.Text };
                }
                else
                {
                    events.Add(next);
                }
            }
        }
    }
}
