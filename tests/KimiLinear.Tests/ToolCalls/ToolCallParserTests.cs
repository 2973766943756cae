using System.Diagnostics;
using KimiLinear.Tests.Tokenization;
using KimiLinear.ToolCalls;
using Xunit;

namespace KimiLinear.Tests.ToolCalls;

public sealed class ToolCallParserTests
{
    private const string Sb = ToolCallMarkers.SectionBegin;
    private const string Se = ToolCallMarkers.SectionEnd;
    private const string Cb = ToolCallMarkers.CallBegin;
    private const string Ab = ToolCallMarkers.ArgumentBegin;
    private const string Ce = ToolCallMarkers.CallEnd;

    [Fact]
    public void Parse_TextOnly_IsTheText()
    {
        ParsedReply reply = ToolCallParser.Parse("2 < 3, <|im_end|> and <b>", ToolSet.Weather);

        Assert.Equal("2 < 3, <|im_end|> and <b>", reply.Text);
        Assert.Empty(reply.Calls);
        Assert.Null(reply.CutCall);
    }

    [Fact]
    public void Parse_TwoCalls_GivesIdsNamesAndArgumentsAsWritten()
    {
        const string Reply =
            $$"""Let me check.{{Sb}}{{Cb}}functions.get_weather:0{{Ab}}{"city":  "Paris"}{{Ce}}"""
            + $$"""{{Cb}}functions.search:1{{Ab}}{"query": "a<b"}{{Ce}}{{Se}}""";

        ParsedReply reply = ToolCallParser.Parse(Reply, ToolSet.Weather);

        Assert.Equal("Let me check.", reply.Text);
        Assert.Equal(
            [
                new ToolCall("functions.get_weather:0", "get_weather", """{"city":  "Paris"}"""),
                new ToolCall("functions.search:1", "search", """{"query": "a<b"}"""),
            ],
            reply.Calls);
    }

    [Fact]
    public void Append_ArgumentsInPieces_StreamsStartDeltasAndTheWholeCall()
    {
        ToolCallParser parser = new(ToolSet.Weather);
        string[] pieces = [$"Hm {Sb}{Cb}functions.sea", $"rch:4{Ab} ", "{\"query\":", " ", $" \"x\"}}\n{Ce}{Se}"];

        ToolCallEvent[][] events = [.. pieces.Select(piece => parser.Append(piece).ToArray()), [.. parser.Complete()]];

        Assert.Equal([new(ToolCallEventKind.Text, -1, "Hm ", null)], events[0]);
        Assert.Equal([new(ToolCallEventKind.CallStarted, 0, "", new ToolCall("functions.search:4", "search", ""))], events[1]);
        Assert.Equal([new(ToolCallEventKind.Arguments, 0, "{\"query\":", null)], events[2]);
        Assert.Empty(events[3]);
        Assert.Equal(
            [
                new(ToolCallEventKind.Arguments, 0, "  \"x\"}", null),
                new(ToolCallEventKind.CallCompleted, 0, "", new ToolCall("functions.search:4", "search", "{\"query\":  \"x\"}")),
            ],
            events[4]);
        Assert.Empty(events[5]);
    }

    [Fact]
    public void Append_PlainText_PassesTheSameStringOnAtOnce()
    {
        ToolCallParser parser = new(ToolSet.Weather);
        string piece = new('x', 3);

        ToolCallEvent found = Assert.Single(parser.Append(piece));

        Assert.Same(piece, found.Text);
    }

    [Theory]
    [InlineData("a <", "a ")]
    [InlineData("a <|tool_call_", "a ")]
    [InlineData("a <|tool_calls_section_begin|", "a ")]
    [InlineData("a <|tool_x", "a <|tool_x")]
    [InlineData("<<", "<")]
    public void Append_BeginningOfAMarker_IsHeldBackUntilItIsNone(string piece, string shown)
    {
        ToolCallParser parser = new(ToolSet.Weather);

        string now = Text(parser.Append(piece));
        string later = Text(parser.Complete());

        Assert.Equal(shown, now);
        Assert.Equal(piece, now + later);
    }

    [Fact]
    public void Append_MarkerIds_AreMarkersWhateverTheirText()
    {
        Dictionary<int, MarkerSpelling> ids = new()
        {
            [1] = new(Sb, ToolCallMarker.SectionBegin),
            [2] = new(Cb, ToolCallMarker.CallBegin),
            [3] = new(Ab, ToolCallMarker.ArgumentBegin),
            [4] = new(Ce, ToolCallMarker.CallEnd),
        };
        ToolCallParser parser = new(ToolSet.Weather, ids);
        List<ToolCallEvent> events = [];

        // the detokenizer held back half a character until the marker came; "<|tool" was no marker
        (int Id, string Text)[] tokens =
            [(9, "é<|tool"), (1, "\uFFFD" + Sb), (2, ""), (8, "search"), (3, Ab), (8, "{}"), (4, "")];
        foreach ((int id, string text) in tokens)
        {
            events.AddRange(parser.Append(id, text));
        }

        Assert.Equal("é<|tool\uFFFD", Text(events));
        Assert.Equal(new ToolCall("search", "search", "{}"), events[^1].Call);
    }

    [Fact]
    public void Append_GoldenTokensOfTheSmallModel_FindTheCall()
    {
        int[] ids = [.. TokenizerGolden.Tokenizer.Encode($"{Sb}{Cb}functions.search:0{Ab}{{\"query\": \"é世\"}}{Ce}{Se}", true)];
        ToolCallParser parser = new(ToolSet.Weather, TokenizerGolden.Tokenizer);
        var detokenizer = TokenizerGolden.Tokenizer.CreateDetokenizer();

        ToolCallEvent[] events = [.. ids.SelectMany(id => parser.Append(id, detokenizer.Append(id)).ToArray())];

        Assert.Equal(new ToolCall("functions.search:0", "search", "{\"query\": \"é世\"}"), events[^1].Call);
        Assert.Equal("", Text(events));
    }

    [Theory]
    [InlineData(Sb)]
    [InlineData(Se)]
    [InlineData(Cb)]
    [InlineData(Ab)]
    [InlineData(Ce)]
    [InlineData(ToolCallMarkers.SectionEndSingular)]
    public void Append_MarkerSpelledInArguments_IsData(string spelled)
    {
        string arguments = $$"""{"query": "a{{spelled}}b"}""";
        int[] ids =
        [
            .. Encode($"{Sb}{Cb}functions.search:0{Ab}"), .. TokenizerGolden.Tokenizer.Encode(arguments), .. Encode(Ce + Se),
        ];

        List<ToolCallEvent> events = Append(ids);

        Assert.Equal(new ToolCall("functions.search:0", "search", arguments), events[^1].Call);
        Assert.Equal(ToolCallEventKind.CallCompleted, events[^1].Kind);
        Assert.Equal("", Text(events));
    }

    [Fact]
    public void Append_CallSpelledInText_IsText()
    {
        string spelled = $"{Sb}{Cb}functions.search:0{Ab}{{}}{Ce}{Se}";

        List<ToolCallEvent> events = Append(TokenizerGolden.Tokenizer.Encode(spelled));

        Assert.Equal(spelled, Text(events));
        Assert.All(events, found => Assert.Equal(ToolCallEventKind.Text, found.Kind));
    }

    [Fact]
    public void Append_MisspelledSectionAroundACallOfTokens_IsUnderstood()
    {
        int[] ids = Encode(
            $"{ToolCallMarkers.SectionBeginSingular}{Cb}functions.search:0{Ab}{{}}{Ce}{ToolCallMarkers.SectionEndSingular}");

        List<ToolCallEvent> events = Append(ids);

        Assert.Equal(new ToolCall("functions.search:0", "search", "{}"), events[^1].Call);
        Assert.Equal("", Text(events));
    }

    [Fact]
    public void Append_AfterComplete_Throws()
    {
        ToolCallParser parser = new(ToolSet.Weather);
        parser.Complete();

        Assert.Throws<InvalidOperationException>(() => parser.Append("x"));
        Assert.Throws<InvalidOperationException>(() => parser.Append(1, "x"));
        Assert.Throws<InvalidOperationException>(parser.Complete);
    }

    [Theory]
    [InlineData("x", 1)]
    [InlineData("<|tool_call_", 7)]
    [InlineData(" ", 1)]
    [InlineData("<", 1)]
    public void Append_FiveMegabytesOfArguments_TakeLinearTime(string unit, int pieceLength)
    {
        // Were any step quadratic, this would take minutes.
        string arguments = "\"" + string.Concat(Enumerable.Repeat(unit, 5_000_000 / unit.Length)) + "\"";
        ToolCallParser parser = new(ToolSet.Weather);
        Stopwatch watch = Stopwatch.StartNew();

        parser.Append($"{Sb}{Cb}functions.search:0{Ab}");
        for (int start = 0; start < arguments.Length; start += pieceLength)
        {
            parser.Append(arguments.Substring(start, Math.Min(pieceLength, arguments.Length - start)));
        }

        ToolCallEvent completed = parser.Append(Ce)[^1];

        Assert.Equal(arguments, completed.Call!.Arguments);
        Assert.InRange(watch.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(20));
    }

    private static int[] Encode(string reply) => TokenizerGolden.Tokenizer.Encode(reply, allowSpecialTokens: true);

    // As a chat client does: token by token, the markers' text included.
    private static List<ToolCallEvent> Append(int[] ids)
    {
        ToolCallParser parser = new(ToolSet.Weather, TokenizerGolden.Tokenizer);
        var detokenizer = TokenizerGolden.Tokenizer.CreateDetokenizer(includeSpecialTokens: true);
        List<ToolCallEvent> events = [];
        foreach (int id in ids)
        {
            events.AddRange(parser.Append(id, detokenizer.Append(id)));
        }

        events.AddRange(parser.Complete());
        return events;
    }

    private static string Text(IEnumerable<ToolCallEvent> events) =>
        string.Concat(events.Where(found => found.Kind == ToolCallEventKind.Text).Select(found => found.Text));
}
