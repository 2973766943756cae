using System.Text.Json;
using KimiLinear.Sampling;
using KimiLinear.Tests.Sampling;
using KimiLinear.Tokenization;
using KimiLinear.ToolCalls;
using Xunit;

namespace KimiLinear.Tests.ToolCalls;

public sealed class ToolCallGrammarTests
{
    private static readonly KimiTokenizer Tokenizer = GrammarVocabulary.Small;
    private static readonly int Stop = Tokenizer.GetSpecialTokenId("<|im_end|>");

    private static readonly ToolDeclaration[] Tools =
    [
        Tool("get", """{"type": "object", "properties": {}}"""),
        Tool("get_weather", """{"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}"""),
        Tool("add", """{"properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}, "required": ["a", "b"]}"""),
    ];

    [Fact]
    public void Create_CallRequired_EveryReplyIsCallsThatFit()
    {
        ReplyGrammar grammar = ToolCallGrammar.Create(Tools, new ToolCallGrammarOptions { IsCallRequired = true, FirstIndex = 9 });
        GrammarWalk walk = new(Tokenizer, seed: 42);
        HashSet<string> called = [];
        int severalCount = 0;

        for (int i = 0; i < 60; i++)
        {
            string reply = walk.Write(grammar, maxTokens: 2000)!;
            ParsedReply parsed = ToolCallParser.Parse(reply, Tools);

            Assert.Equal("", parsed.Text);
            Assert.Null(parsed.CutCall);
            Assert.NotEmpty(parsed.Calls);
            Assert.All(parsed.Calls.Index(), call => AssertFits(call.Item, 9 + call.Index));
            called.UnionWith(parsed.Calls.Select(call => call.Name));
            severalCount += parsed.Calls.Count > 1 ? 1 : 0;
        }

        Assert.Equal(Tools.Select(tool => tool.Name).Order(), called.Order());
        Assert.InRange(severalCount, 1, 60);
    }

    [Fact]
    public void Create_OneCall_HasExactlyOne()
    {
        ToolCallGrammarOptions options = new() { IsCallRequired = true, AllowSeveral = false };
        ReplyGrammar grammar = ToolCallGrammar.Create(Tools, options);
        GrammarWalk walk = new(Tokenizer, seed: 1);

        Assert.All(Enumerable.Range(0, 20), _ =>
            Assert.Single(ToolCallParser.Parse(walk.Write(grammar, maxTokens: 2000)!, Tools).Calls));
    }

    [Theory]
    [InlineData("Some text", true, true)]
    [InlineData("", true, true)]
    [InlineData("Some text<|tool_calls_section_begin|>", false, false)]
    [InlineData("<|tool_calls_section_begin|><|tool_call_begin|>functions.get:0<|tool_call_argument_begin|>{}<|tool_call_end|>", false, false)]
    [InlineData("<|tool_calls_section_begin|><|tool_call_begin|>functions.get:0<|tool_call_argument_begin|>{}<|tool_call_end|><|tool_calls_section_end|>", true, false)]
    public void Create_TextOrCalls_MayEndWhereAReplyIsWhole(string reply, bool mayEnd, bool mayCall)
    {
        float[] logits = LogitsAfter(ToolCallGrammar.Create(Tools), reply);

        Assert.Equal(mayEnd, logits[Stop] == 0);
        Assert.Equal(mayCall, logits[Id("<|tool_calls_section_begin|>")] == 0);
    }

    [Fact]
    public void Create_Text_AllowsEverythingButStrayMarkers()
    {
        float[] logits = LogitsAfter(ToolCallGrammar.Create(Tools), "Text");
        string[] forbidden =
            ["<|tool_calls_section_end|>", "<|tool_call_begin|>", "<|tool_call_argument_begin|>", "<|tool_call_end|>"];

        Assert.Equal(forbidden.Select(Id).Order(), Enumerable.Range(0, logits.Length).Where(id => logits[id] != 0));
    }

    [Fact]
    public void Create_Text_DoesNotSpellAMarkerInOrdinaryTokens()
    {
        int[] spelled = Tokenizer.Encode("a <|tool_call_begin|", allowSpecialTokens: false);
        float[] logits = new float[Tokenizer.VocabularySize];

        new ReplyConstraint(ToolCallGrammar.Create(Tools), Tokenizer, [Stop]).Process(new LogitsContext([], spelled), logits);

        int[] withBracket = [.. Enumerable.Range(0, Tokenizer.BaseVocabularySize).Where(id => Tokenizer.GetBytes(id)[0] == '>')];
        Assert.Equal(withBracket, Enumerable.Range(0, Tokenizer.BaseVocabularySize).Where(id => logits[id] != 0));
    }

    [Theory]
    [InlineData("functions.", "ga")]
    [InlineData("functions.get", ":_")]
    [InlineData("functions.get_weather:", "1")]
    [InlineData("functions.get_weather:1", "")]
    public void Create_CallId_AllowsTheNamesAndTheNumberOnly(string written, string next)
    {
        ReplyGrammar grammar = ToolCallGrammar.Create(Tools, new ToolCallGrammarOptions { FirstIndex = 12 });

        float[] logits = LogitsAfter(grammar, "<|tool_calls_section_begin|><|tool_call_begin|>" + written);

        string allowed = string.Concat(
            Enumerable.Range(0, Tokenizer.BaseVocabularySize).Where(id => logits[id] == 0).Select(id => Tokenizer.Decode([id])[..1]).Distinct()
                .Order(StringComparer.Ordinal));
        Assert.Equal(written.EndsWith(":1", StringComparison.Ordinal) ? "2" : string.Concat(next.Order()), allowed);
        Assert.NotEqual(0, logits[Id("<|tool_call_argument_begin|>")]);
    }

    [Fact]
    public void Create_CallIdWritten_GoesOnWithItsArguments()
    {
        ReplyGrammar grammar = ToolCallGrammar.Create(Tools, new ToolCallGrammarOptions { FirstIndex = 12 });

        float[] logits = LogitsAfter(grammar, "<|tool_calls_section_begin|><|tool_call_begin|>functions.get:12");

        Assert.Equal([Id("<|tool_call_argument_begin|>")], Enumerable.Range(0, logits.Length).Where(id => logits[id] == 0));
    }

    [Fact]
    public void Create_OtherwiseJson_IsOneOrTheOther()
    {
        JsonGrammar json = JsonGrammar.Compile(JsonElement.Parse("""{"type": "array", "items": {"type": "boolean"}}"""));
        ReplyGrammar grammar = ToolCallGrammar.Create(Tools, new ToolCallGrammarOptions { Otherwise = json });
        GrammarWalk walk = new(Tokenizer, seed: 3);

        string[] replies = [.. Enumerable.Range(0, 60).Select(_ => walk.Write(grammar, maxTokens: 2000)!)];

        Assert.Contains(replies, reply => reply[0] == '<');
        Assert.Contains(replies, reply => reply[0] == '[');
        Assert.All(replies, reply => Assert.True(
            reply[0] == '[' ? JsonElement.Parse(reply).ValueKind == JsonValueKind.Array : ToolCallParser.Parse(reply, Tools).Calls.Count > 0));
    }

    [Fact]
    public void Create_JsonBegun_MayNoLongerCall()
    {
        ReplyGrammar grammar = ToolCallGrammar.Create(Tools, new ToolCallGrammarOptions { Otherwise = JsonGrammar.AnyObject });

        Assert.Equal(0, LogitsAfter(grammar, "")[Id("<|tool_calls_section_begin|>")]);
        Assert.Equal(float.NegativeInfinity, LogitsAfter(grammar, "{")[Id("<|tool_calls_section_begin|>")]);
    }

    [Fact]
    public void Create_SchemaThatCannotBeEnforced_IsReportedWithItsTool()
    {
        ToolDeclaration tool = Tool("find", """{"type": "object", "properties": {"x": {"type": "array", "uniqueItems": true}}}""");

        ReplyGrammar grammar = ToolCallGrammar.Create([tool]);
        var thrown = Assert.Throws<NotSupportedException>(() => ToolCallGrammar.Create(
            [tool], new ToolCallGrammarOptions { Arguments = new JsonGrammarOptions { IsStrict = true } }));

        Assert.Equal("find#/properties/x", Assert.Single(grammar.UnenforcedKeywords).Place);
        Assert.Contains("The parameters of the tool 'find'", thrown.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Create_WrongTools_Throws()
    {
        Assert.Throws<ArgumentException>(() => ToolCallGrammar.Create([]));
        Assert.Throws<ArgumentException>(() => ToolCallGrammar.Create([Tools[0], Tools[0]]));
        Assert.Throws<JsonException>(() => ToolCallGrammar.Create([Tool("a", """{"type": "string"}""")]));
        Assert.Throws<ArgumentException>(() => ToolCallGrammar.Create(
            Tools, new ToolCallGrammarOptions { IsCallRequired = true, Otherwise = JsonGrammar.AnyObject }));
    }

    private static void AssertFits(ToolCall call, int index)
    {
        ToolDeclaration tool = Tools.Single(tool => tool.Name == call.Name);
        Assert.Equal(NativeCallId.Create(call.Name, index), call.Id);
        Assert.True(SchemaValidator.IsValid(tool.Parameters!.Value, JsonElement.Parse(call.Arguments)), call.Arguments);
    }

    private static float[] LogitsAfter(ReplyGrammar grammar, string reply)
    {
        float[] logits = new float[Tokenizer.VocabularySize];
        new ReplyConstraint(grammar, Tokenizer, [Stop])
            .Process(new LogitsContext([], Tokenizer.Encode(reply, allowSpecialTokens: true)), logits);
        return logits;
    }

    private static int Id(string marker) => Tokenizer.GetSpecialTokenId(marker);

    private static ToolDeclaration Tool(string name, string schema) => new(name, null, JsonElement.Parse(schema));
}
