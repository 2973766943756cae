using KimiLinear.ToolCalls;
using Xunit;

namespace KimiLinear.Tests.ToolCalls;

/// <summary>What models were seen to write instead of the form they were trained on.</summary>
public sealed class ToolCallParserMalformedTests
{
    private const string Sb = ToolCallMarkers.SectionBegin;
    private const string Se = ToolCallMarkers.SectionEnd;
    private const string Cb = ToolCallMarkers.CallBegin;
    private const string Ab = ToolCallMarkers.ArgumentBegin;
    private const string Ce = ToolCallMarkers.CallEnd;

    [Theory]
    [InlineData($"Hi.{Cb}functions.search:0{Ab}{{}}{Ce}", "Hi.", "{}")]
    [InlineData($"Hi.{Cb}functions.search:0{Ab}{{}}{Ce}\n{Se}\n", "Hi.", "{}")]
    [InlineData($"Hi.<|tool_call_section_begin|>{Cb}functions.search:0{Ab}{{}}{Ce}<|tool_call_section_end|>", "Hi.", "{}")]
    [InlineData($"Hi.{Sb}I call\n {Cb}functions.search:0{Ab}{{}}{Ce} that {Se}", "Hi.", "{}")]
    [InlineData($"Hi.{Sb}{Cb}functions.search:0{Ab}{{}}{Ce}{Se}\n Done. ", "Hi.\n Done. ", "{}")]
    [InlineData($"Hi.{Sb}{Cb}functions.search:0{Ab}{{}}{Ce}{Se} \n", "Hi.", "{}")]
    [InlineData($"Hi.{Sb}\n{Cb}\n functions.search:0 \n{Ab} {{ }} {Ce}\n{Se}", "Hi.", "{ }")]
    [InlineData($"Hi.{Sb}{Cb}functions.search:0{Ab}{Ce}{Se}", "Hi.", "{}")]
    [InlineData($"Hi.{Sb}{Cb}functions.search:0{Ab} \n{Ce}{Se}", "Hi.", "{}")]
    [InlineData($"Hi.{Sb}{Cb}functions.search:0{Ce}{Se}", "Hi.", "{}")]
    [InlineData($"Hi.{Sb}{Cb}functions.search:0{Ab}[1, 2] and so on{Ce}{Se}", "Hi.", "[1, 2] and so on")]
    [InlineData($"Hi.{Sb}{Cb}functions.search:0{Ab}{{\"query\": \n\"a\n{Ce}{Se}", "Hi.", "{\"query\": \n\"a")]
    [InlineData($"Hi.{Sb}{Cb}functions.search:0{Ab}{{}}{Se}", "Hi.", "{}")]
    [InlineData($"Hi.{Sb}{Cb}functions.search:0{Ab}{{}}", "Hi.", "{}")]
    [InlineData($"Hi.{Sb}{Cb}{Cb}functions.search:0{Ab}{{}}{Ce}{Se}", "Hi.", "{}")]
    [InlineData($"Hi.{Sb}{Cb}functions.search:0{Ab}a{Ab}b{Ce}{Se}", "Hi.", $"a{Ab}b")]
    [InlineData($"{Se}H{Ce}i{Ab}.{Sb}{Sb}{Cb}functions.search:0{Ab}{{}}{Ce}{Ce}{Se}{Se}", "Hi.", "{}")]
    public void Parse_OneCallInABrokenFrame_IsFound(string reply, string text, string arguments)
    {
        ParsedReply parsed = ToolCallParser.Parse(reply, ToolSet.Weather);

        Assert.Equal(text, parsed.Text);
        Assert.Equal([new ToolCall("functions.search:0", "search", arguments)], parsed.Calls);
        Assert.Null(parsed.CutCall);
    }

    [Theory]
    [InlineData("search:0", "search")]
    [InlineData("search", "search")]
    [InlineData("functions.search", "search")]
    [InlineData("functions.search:", null)]
    [InlineData("functions_search_0", "search")]
    [InlineData("functions_get_weather_12", "get_weather")]
    [InlineData("functions_get_weather", "get_weather")]
    [InlineData("functions_get_weather:1", "get_weather")]
    [InlineData("functions_ns_read-file2_3", "ns.read-file2")]
    [InlineData("functions.ns.read-file2:7", "ns.read-file2")]
    [InlineData("ns.read-file2:7", "ns.read-file2")]
    [InlineData("functions.get_\nweather:0", "get_weather")]
    [InlineData("default_api.get_weather:0", "get_weather")]
    [InlineData("functions.unknown:0", null)]
    [InlineData("unknown", null)]
    [InlineData("Search:0", null)]
    [InlineData("3", null)]
    public void Parse_IdOfAnotherForm_GivesTheToolItNames(string id, string? name)
    {
        string reply = $"{Sb}{Cb}{id}{Ab}{{}}{Ce}{Se}";

        ParsedReply parsed = ToolCallParser.Parse(reply, ToolSet.Weather);

        Assert.Equal(name is null ? [] : [new ToolCall(id, name, "{}")], parsed.Calls);
        Assert.Equal(name is null ? $"{Cb}{id}{Ab}{{}}{Ce}" : "", parsed.Text);
    }

    [Theory]
    [InlineData("call_abc", """{"name": "search", "arguments": {"query": 1}}""", "search", """{"query": 1}""")]
    [InlineData("call_abc", """{"name": "search", "parameters": {"query":1}}""", "search", """{"query":1}""")]
    [InlineData("call_abc", """{"name": "search", "arguments": "{\"query\": 1}"}""", "search", """{"query": 1}""")]
    [InlineData("call_abc", """{"name": "search", "query":  "x", "n":1.0}""", "search", """{"query":  "x", "n":1.0}""")]
    [InlineData("call_abc", """{"name": "search"}""", "search", "{}")]
    [InlineData("functions.unknown:0", """{"name": "search", "query": 1}""", "search", """{"query": 1}""")]
    [InlineData("call_abc", """{"name": "rename", "to": "b"}""", "rename", """{"name": "rename", "to": "b"}""")]
    [InlineData("call12345", """{"query": "x"}""", "search", """{"query": "x"}""")]
    [InlineData("3", """{"city": "x", "unit": "C", "more": 1}""", "get_weather", """{"city": "x", "unit": "C", "more": 1}""")]
    [InlineData("functions:3", """{"path": ""}""", "ns.read-file2", """{"path": ""}""")]
    [InlineData("functions.3", """{"path": ""}""", "ns.read-file2", """{"path": ""}""")]
    [InlineData("", """{"path": ""}""", "ns.read-file2", """{"path": ""}""")]
    [InlineData("3", """{"query": "x", "path": "y"}""", null, null)]
    [InlineData("3", """{"query": "x", "other": "y"}""", null, null)]
    [InlineData("3", """{"query": "x" """, null, null)]
    [InlineData("3", "{}", null, null)]
    [InlineData("functions.delete:0", """{"path": "x"}""", null, null)]
    [InlineData("call_abc", """{"name": "unknown", "arguments": {}}""", null, null)]
    public void Parse_IdWithoutADeclaredName_LetsTheArgumentsDecide(string id, string written, string? name, string? arguments)
    {
        string reply = $"{Sb}{Cb}{id}{Ab}{written}{Ce}{Se}";

        ParsedReply parsed = ToolCallParser.Parse(reply, [.. ToolSet.Weather, ToolSet.Tool("rename", "name", "to")]);

        Assert.Equal(name is null ? [] : [new ToolCall(id, name, arguments!)], parsed.Calls);
        Assert.Equal(name is null ? $"{Cb}{id}{Ab}{written}{Ce}" : "", parsed.Text);
    }

    [Theory]
    [InlineData("3", true)]
    [InlineData("call_abc", true)]
    [InlineData("0b2e6c1e-5a3f-4c57-9d53-0a5a5a5a5a5a", true)]
    [InlineData("chatcmpl-tool-0b2e6c1e5a3f", true)]
    [InlineData("functions.delete_all:0", false)]
    [InlineData("delete_all", false)]
    public void Parse_OneToolDeclared_OnlyAnIdThatNamesNothingMeansIt(string id, bool isFound)
    {
        ParsedReply parsed = ToolCallParser.Parse($"{Sb}{Cb}{id}{Ab}no json{Ce}{Se}", [ToolSet.Tool("search", "query")]);

        Assert.Equal(isFound ? [new ToolCall(id, "search", "no json")] : [], parsed.Calls);
        Assert.Equal(isFound ? "" : $"{Cb}{id}{Ab}no json{Ce}", parsed.Text);
    }

    [Fact]
    public void Parse_NoToolsDeclared_GivesTheCallBackAsText()
    {
        string call = $"{Cb}functions.search:0{Ab} {{}} {Ce}";

        ParsedReply parsed = ToolCallParser.Parse($"Hi.{Sb}{call}{Se}", []);

        Assert.Equal("Hi." + call, parsed.Text);
        Assert.Empty(parsed.Calls);
    }

    [Fact]
    public void Append_ToolKnownOnlyAtTheEnd_ReportsStartArgumentsAndEndTogether()
    {
        ToolCallParser parser = new(ToolSet.Weather);

        Assert.Empty(parser.Append($"{Cb}0{Ab}{{\"query\":"));
        Assert.Equal(
            [
                new(ToolCallEventKind.CallStarted, 0, "", new ToolCall("0", "search", "")),
                new(ToolCallEventKind.Arguments, 0, "{\"query\":1}", null),
                new(ToolCallEventKind.CallCompleted, 0, "", new ToolCall("0", "search", "{\"query\":1}")),
            ],
            parser.Append($"1}}{Ce}"));
    }

    [Fact]
    public void Append_EndAndBeginInOnePiece_ReportsBothCallsInOrder()
    {
        ToolCallParser parser = new(ToolSet.Weather);
        parser.Append($"{Sb}{Cb}functions.search:0{Ab}{{");

        ToolCallEvent[] events = [.. parser.Append($"}}{Ce}{Cb}functions.get_weather:1{Ab}{{}}{Ce}{Se}")];

        Assert.Equal([0, 0, 1, 1, 1], events.Select(found => found.CallIndex));
        Assert.Equal(["search", "get_weather"], Completed(events).Select(call => call.Name));
    }

    [Fact]
    public void Parse_CallsWithoutEnds_EndWhereTheNextBegins()
    {
        ParsedReply parsed = ToolCallParser.Parse(
            $"{Sb}{Cb}functions.search:0{Ab}{{\"query\":1}}{Cb}functions.search:1{Ab}{{\"query\":2}}{Se}", ToolSet.Weather);

        Assert.Equal(["{\"query\":1}", "{\"query\":2}"], parsed.Calls.Select(call => call.Arguments));
        Assert.Equal("", parsed.Text);
    }

    [Theory]
    [InlineData($"Hi.{Sb}{Cb}functions.search:0{Ab}{{\"query\": \"x ", "functions.search:0", "search", "{\"query\": \"x")]
    [InlineData($"Hi.{Sb}{Cb}functions.search:0{Ab}{{\"query\": <|tool_ca", "functions.search:0", "search", "{\"query\":")]
    [InlineData($"Hi.{Sb}{Cb}functions.search:0{Ab}", "functions.search:0", "search", "")]
    [InlineData($"Hi.{Sb}{Cb}functions.search:0", "functions.search:0", "", "")]
    [InlineData($"Hi.{Sb}{Cb}functions.sea", "functions.sea", "", "")]
    [InlineData($"Hi.{Sb}{Cb}functions.sea<|tool_call_arg", "functions.sea", "", "")]
    [InlineData($"Hi.{Sb}{Cb}call_abc{Ab}{{\"name\": \"search\", ", "call_abc", "", "{\"name\": \"search\",")]
    public void Parse_ReplyCutInsideACall_ReportsTheCallAsFarAsItGoes(string reply, string id, string name, string arguments)
    {
        ParsedReply parsed = ToolCallParser.Parse(reply, ToolSet.Weather);

        Assert.Equal(new ToolCall(id, name, arguments), parsed.CutCall);
        Assert.Empty(parsed.Calls);
        Assert.Equal("Hi.", parsed.Text);
    }

    [Theory]
    [InlineData($"Hi.{Sb}")]
    [InlineData($"Hi.{Sb}{Cb}")]
    [InlineData($"Hi.{Sb}{Cb}<|tool_call_arg")]
    [InlineData($"Hi.{Sb}{Cb}functions.search:0{Ab}{{}}{Ce}<|tool_calls_sec")]
    public void Parse_ReplyCutBetweenCalls_LeavesNothingBehind(string reply)
    {
        ParsedReply parsed = ToolCallParser.Parse(reply, ToolSet.Weather);

        Assert.Equal("Hi.", parsed.Text);
        Assert.Null(parsed.CutCall);
    }

    [Fact]
    public void Parse_TextThatMentionsAMarker_IsNotSwallowed()
    {
        string reply = $"The marker {Cb} begins a call.";

        ParsedReply parsed = ToolCallParser.Parse(reply, ToolSet.Weather);

        Assert.Equal(reply, parsed.Text);
        Assert.Null(parsed.CutCall);
    }

    private static IEnumerable<ToolCall> Completed(IEnumerable<ToolCallEvent> events) =>
        events.Where(found => found.Kind == ToolCallEventKind.CallCompleted).Select(found => found.Call!);
}
