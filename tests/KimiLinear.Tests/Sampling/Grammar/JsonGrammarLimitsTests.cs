using System.Text;
using System.Text.Json;
using KimiLinear.Sampling;
using Xunit;

namespace KimiLinear.Tests.Sampling;

/// <summary>Schemas far larger than people write: they are compiled in bounded time and memory, or refused by name.</summary>
public sealed class JsonGrammarLimitsTests
{
    [Theory]
    [InlineData("enum")]
    [InlineData("anyOf")]
    [InlineData("properties")]
    public void MaskOf_ThousandsOfOptions_NeedsNoDeepStack(string kind)
    {
        IEnumerable<int> numbers = Enumerable.Range(1000, 4000);
        string schema = kind switch
        {
            "enum" => $$"""{"enum": [{{string.Join(',', numbers.Select(number => $"[{number}]"))}}]}""",
            "anyOf" => $$"""{"anyOf": [{{string.Join(',', numbers.Select(number => $$$"""{"type": "array", "items": {"const": {{{number}}}}}"""))}}]}""",
            _ => $$$"""{"properties": { {{{string.Join(',', numbers.Select(number => $$"""
                "{{number}}": {"type": "null"}
                """))}}} } }""",
        };
        string reply = kind == "properties" ? """{"1234": null, "4999": null}""" : "[1234]";
        Exception? failure = null;

        Thread thread = new(
            () =>
            {
                try
                {
                    GrammarMachine machine = MachineOf(schema);
                    GrammarNode? state = machine.Start;
                    foreach (byte value in Encoding.UTF8.GetBytes(reply))
                    {
                        Assert.True(machine.MaskOf(state).Contains(value));
                        state = machine.Step(state, [value])!;
                    }

                    Assert.True(state.IsNullable);
                }
                catch (Exception exception)
                {
                    failure = exception;
                }
            },
            maxStackSize: 256 * 1024);
        thread.Start();
        thread.Join();

        Assert.Null(failure);
    }

    [Theory]
    [InlineData("""{"properties":{"a":""", "}}")]
    [InlineData("""{"const":""" + "[", "]}")]
    public void Compile_SchemaNestedVeryDeep_IsRefused(string opening, string closing)
    {
        const int Depth = 10_000;
        string schema = string.Concat(Enumerable.Repeat(opening, Depth)) + "{}" + string.Concat(Enumerable.Repeat(closing, Depth));
        JsonElement element = JsonDocument.Parse(schema, new JsonDocumentOptions { MaxDepth = 3 * Depth }).RootElement;

        var thrown = Assert.Throws<NotSupportedException>(() => JsonGrammar.Compile(element));

        Assert.Contains("nested more than 500 deep", thrown.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Compile_VeryManyListedArrays_IsRefused()
    {
        string schema = $$"""{"enum": [{{string.Join(',', Enumerable.Range(0, 60_000).Select(number => $"[{number}]"))}}]}""";

        var thrown = Assert.Throws<NotSupportedException>(() => JsonGrammar.Compile(JsonElement.Parse(schema)));

        Assert.Contains("more than 100000 rules", thrown.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Compile_PatternsThatAreTooLargeTogether_AreReportedOnceNoMoreFit()
    {
        // Each takes 2^14 states, which is not too many by itself.
        IEnumerable<string> patterns = Enumerable.Range(0, 8).Select(index => $$"""{"type": "string", "pattern": "^[ab]*a[ab]{13}x{{index}}$"}""");
        JsonGrammar grammar = JsonGrammar.Compile(JsonElement.Parse($$"""{"anyOf": [{{string.Join(',', patterns)}}]}"""));

        Assert.InRange(grammar.UnenforcedKeywords.Count, 1, 7);
        Assert.All(grammar.UnenforcedKeywords, keyword => Assert.Equal("pattern", keyword.Keyword));
    }

    [Fact]
    public void Compile_AlternativesThatDifferNowhere_EndsTheSearchForADifference()
    {
        // Nine properties that all lead here again: looked at eight deep, that is a hundred million comparisons.
        string properties = string.Join(',', "abcdefghi".Select(name => $$"""
            "{{name}}": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}], "$ref": "#/$defs/node"}
            """));
        string schema = $$$"""
            {"$defs": {"node": {"type": "object", "properties": { {{{properties}}} }, "required": ["a","b","c","d","e","f","g","h","i"]}},
             "oneOf": [{"$ref": "#/$defs/node"}, {"$ref": "#/$defs/node"}, {"type": "null"}]}
            """;

        JsonGrammar grammar = JsonGrammar.Compile(JsonElement.Parse(schema));

        Assert.Equal(("oneOf", "#"), (grammar.UnenforcedKeywords[0].Keyword, grammar.UnenforcedKeywords[0].Place));
    }

    [Theory]
    [InlineData("values")]
    [InlineData("alternatives")]
    public void Compile_CancelledWhileASchemaTakesLong_Ends(string kind)
    {
        // Values that no other test lists, lest a grammar be found compiled already.
        string numbers = string.Join(',', Enumerable.Range(7_000_000, 20_000));
        IEnumerable<string> choices = Enumerable.Range(0, 4).Select(i => $$"""
            {"anyOf": [{{string.Join(',', Enumerable.Range(0, 11).Select(j => $$$$"""{"properties": {"cancel{{{{i}}}}{{{{j}}}}": {}}}"""))}}]}
            """);
        string schema = kind switch
        {
            "values" => $$"""{"allOf": [{"enum": [{{numbers}}]}, {"enum": [-1, {{numbers}}]}]}""",
            _ => $$"""{"allOf": [{{string.Join(',', choices)}}]}""",
        };
        using CancellationTokenSource source = new(TimeSpan.FromMilliseconds(100));

        Assert.Throws<OperationCanceledException>(
            () => JsonGrammar.Compile(JsonElement.Parse(schema), cancellationToken: source.Token));
    }

    // Beside them a small pattern, which nothing leaves unenforced but work that was done.
    [Theory]
    [InlineData(5, """{"type": "string", "pattern": "^(?=INDEX)$"}""", "pattern")]
    [InlineData(160, """{"type": "string", "format": "email"}""", "")]
    [InlineData(160, """{"type": "string", "format": "email", "pattern": "@example.com$"}""", "")]
    [InlineData(160, """{"type": "string", "pattern": "^[ab]*a[ab]{9}$", "minLength": 12}""", "")]
    [InlineData(6, """{"type": "string", "pattern": "^[ab]*a[ab]{9}$", "maxLength": 254}""", "maxLength")]
    public void Compile_ManyStringsLikeOneAnother_LeaveRoomForAnotherPattern(int count, string one, string keyword)
    {
        IEnumerable<string> properties = Enumerable.Range(0, count)
            .Select(index => $"\"{index}\": {one.Replace("INDEX", $"{index}", StringComparison.Ordinal)}");
        JsonGrammar grammar = JsonGrammar.Compile(JsonElement.Parse($$$"""
            {"properties": { {{{string.Join(',', properties)}}}, "last": {"type": "string", "pattern": "^[A-Z]{3}$"}} }
            """));

        Assert.DoesNotContain(grammar.UnenforcedKeywords, reported => reported.Place.EndsWith("last", StringComparison.Ordinal));
        Assert.All(grammar.UnenforcedKeywords, reported => Assert.Equal(keyword, reported.Keyword));
        Assert.Equal(keyword.Length == 0 ? 0 : count, grammar.UnenforcedKeywords.Count);
    }

    [Theory]
    [InlineData("""{"properties": {"kind": {"const": INDEX}}, "required": ["kind"]}""")]
    [InlineData("""{"properties": {"kind": {"const": INDEX}}}""")]
    public void Compile_ManyReferencesToDifferentAlternatives_AreComparedOnce(string branch)
    {
        IEnumerable<string> branches = Enumerable.Range(0, 70)
            .Select(index => branch.Replace("INDEX", $"{index}", StringComparison.Ordinal));
        IEnumerable<string> properties = Enumerable.Range(0, 60).Select(index => $$"""
            "{{index}}": {"$ref": "#/$defs/shape"}
            """);
        JsonGrammar grammar = JsonGrammar.Compile(JsonElement.Parse($$$"""
            {"$defs": {"shape": {"type": "object", "required": ["kind"], "oneOf": [{{{string.Join(',', branches)}}}]}},
             "properties": { {{{string.Join(',', properties)}}} } }
            """));

        Assert.Empty(grammar.UnenforcedKeywords);
    }

    [Fact]
    public void Compile_VeryManyPropertiesWithoutType_IsRefusedWithoutWordOfLists()
    {
        IEnumerable<string> properties = Enumerable.Range(0, 16_000).Select(index => $$"""
            "{{index}}": {}
            """);
        var schema = JsonElement.Parse($$$"""{"properties": { {{{string.Join(',', properties)}}} } }""");

        var thrown = Assert.Throws<NotSupportedException>(() => JsonGrammar.Compile(schema));

        Assert.Contains("more than 100000 rules", thrown.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("enum", thrown.Message, StringComparison.Ordinal);
    }

    private static GrammarMachine MachineOf(string schema) =>
        JsonGrammar.Compile(JsonElement.Parse(schema)).Bytes.MachineOf(TokenTrie.Of(GrammarVocabulary.Small));
}
