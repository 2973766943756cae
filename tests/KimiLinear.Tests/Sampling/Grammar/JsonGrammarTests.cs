using System.Globalization;
using System.Text;
using System.Text.Json;
using KimiLinear.Sampling;
using Xunit;

namespace KimiLinear.Tests.Sampling;

public sealed class JsonGrammarTests
{
    [Theory]
    [InlineData("""{"a": 1, "b": [1, 2]}""", true)]
    [InlineData("""{"a":1,"b":[1,2]}""", true)]
    [InlineData("""{"b": []}""", true)]
    [InlineData("""{}""", false)]
    [InlineData("""{"b": [], "a": 1}""", false)]
    [InlineData("""{"a":  1, "b": []}""", false)]
    [InlineData("""{ "a": 1, "b": []}""", false)]
    [InlineData("""{"a": 1, "b": []} """, false)]
    [InlineData("""{"a": 1, "b": [], "c": 1}""", false)]
    [InlineData("""{"a": 1.5, "b": []}""", false)]
    [InlineData("""{"a": 1, "b": [1,]}""", false)]
    public void Compile_NamedProperties_AreWrittenInTheirOrder(string text, bool isAccepted) => Assert.Equal(isAccepted, Accepts(
        """
        {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "array", "items": {"type": "integer"}}},
         "required": ["b"]}
        """,
        text));

    [Theory]
    [InlineData("\"abc\"", true)]
    [InlineData("\"a\\u00e9\\n\"", true)]
    [InlineData("\"\\ud83d\\ude00ab\"", true)]
    [InlineData("\"😀世é\"", true)]
    [InlineData("\"abcd\"", false)]
    [InlineData("\"\"", false)]
    [InlineData("\"\\ud83dab\"", false)]
    [InlineData("\"\\ude00ab\"", false)]
    [InlineData("\"\\x\"", false)]
    [InlineData("\"a\nb\"", false)]
    public void Compile_String_CountsCodePointsInEverySpelling(string text, bool isAccepted) =>
        Assert.Equal(isAccepted, Accepts("""{"type": "string", "minLength": 1, "maxLength": 3}""", text));

    [Fact]
    public void Compile_String_TakesEveryCodePointAndNoBrokenEncoding()
    {
        GrammarMachine machine = MachineOf("""{"type": "string", "minLength": 1, "maxLength": 1}""");
        GrammarNode quoted = machine.Step(machine.Start, "\""u8)!;
        byte[][] broken = [[0x80], [0xC0, 0xAF], [0xE0, 0x80, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xFF], [0xC3, (byte)'"']];

        for (int codePoint = ' '; codePoint <= 0x10FFFF; codePoint++)
        {
            if (Rune.IsValid(codePoint) && codePoint is not ('"' or '\\'))
            {
                Assert.True(machine.Step(quoted, Encoding.UTF8.GetBytes(char.ConvertFromUtf32(codePoint) + "\""))?.IsNullable);
            }
        }

        Assert.All(broken, bytes => Assert.Null(machine.Step(quoted, bytes)));
    }

    [Theory]
    [InlineData("1.5e+10", true)]
    [InlineData("-0.25", true)]
    [InlineData("123456789012345", true)]
    [InlineData("1234567890123456", false)]
    [InlineData("0.1234567890123456", false)]
    [InlineData("1e100", false)]
    [InlineData("01", false)]
    public void Compile_Number_HasBoundedDigits(string text, bool isAccepted) =>
        Assert.Equal(isAccepted, Accepts("""{"type": "number"}""", text));

    [Theory]
    [InlineData("2024-02-29", true)]
    [InlineData("2023-02-29", false)]
    [InlineData("1900-02-29", false)]
    [InlineData("2000-02-29", true)]
    [InlineData("2024-04-31", false)]
    [InlineData("0000-01-01", false)]
    public void Compile_Date_FollowsTheCalendar(string date, bool isAccepted) =>
        Assert.Equal(isAccepted, Accepts("""{"type": "string", "format": "date"}""", $"\"{date}\""));

    [Fact]
    public void Compile_LocalTimes_AreReadByTimeOnly()
    {
        JsonGrammarOptions local = new() { UseLocalTimes = true };

        Assert.True(Accepts("""{"type": "string", "format": "time"}""", "\"23:59:59.1234567\"", local));
        Assert.False(Accepts("""{"type": "string", "format": "time"}""", "\"23:59:59Z\"", local));
        Assert.False(Accepts("""{"type": "string", "format": "time"}""", "\"23:59:59\""));
    }

    [Theory]
    [InlineData("Z", true)]
    [InlineData("-13:59", true)]
    [InlineData("+14:00", true)]
    [InlineData("+14:01", false)]
    [InlineData("-15:00", false)]
    public void Compile_Offset_IsOneThatDateTimeOffsetReads(string offset, bool isAccepted)
    {
        string time = $"2024-02-29T23:59:59{offset}";

        Assert.Equal(isAccepted, Accepts("""{"type": "string", "format": "date-time"}""", $"\"{time}\""));
        Assert.Equal(isAccepted, DateTimeOffset.TryParse(time, CultureInfo.InvariantCulture, out _));
    }

    [Theory]
    [InlineData("""{"type": "array", "uniqueItems": true}""", "uniqueItems", "#")]
    [InlineData("""{"type": "object", "properties": {"a/b": {"type": "string", "pattern": "(?=x)"}}}""", "pattern", "#/properties/a~1b")]
    [InlineData("""{"type": "array", "items": {"type": "string", "format": "ipv4"}}""", "format", "#/items")]
    [InlineData("""{"type": "object", "minProperties": 1}""", "minProperties", "#")]
    [InlineData("""{"type": "object", "patternProperties": {"^x": true}}""", "patternProperties", "#")]
    [InlineData("""{"oneOf": [{"type": "number"}, {"type": "integer"}]}""", "oneOf", "#")]
    [InlineData("""{"anyOf": [{"not": {"type": "string"}}]}""", "not", "#/anyOf/0")]
    [InlineData("""{"if": {"type": "string"}, "then": {"minLength": 1}}""", "if", "#")]
    [InlineData("""{"type": "integer", "multipleOf": 1234567}""", "multipleOf", "#")]
    public void Compile_WhatCannotBeEnforced_IsReportedOrRefusedWithItsPlace(string schema, string keyword, string place)
    {
        JsonGrammar grammar = JsonGrammar.Compile(JsonElement.Parse(schema));
        var thrown = Assert.Throws<NotSupportedException>(
            () => JsonGrammar.Compile(JsonElement.Parse(schema), new JsonGrammarOptions { IsStrict = true }));

        UnenforcedKeyword reported = Assert.Single(grammar.UnenforcedKeywords);
        Assert.Equal((keyword, place), (reported.Keyword, reported.Place));
        Assert.Contains($"{keyword} at {place} cannot be enforced", thrown.Message, StringComparison.Ordinal);
    }

    // The framework's parser does not look at the bytes of strings.
    [Fact]
    public void Compile_SchemaThatIsNotUtf8_Throws()
    {
        JsonElement schema = JsonDocument.Parse((byte[])[.. "{\"const\":\""u8, 0xFF, .. "\"}"u8]).RootElement;

        Assert.Contains("no text", Assert.Throws<JsonException>(() => JsonGrammar.Compile(schema)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"type": "string", "minLength": 3, "maxLength": 2}""", "No value fits")]
    [InlineData("""{"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]}""", "No value fits")]
    [InlineData("""{"allOf": [{"type": "string"}, {"type": "null"}]}""", "No value fits")]
    [InlineData("""{"type": "string", "enum": ["a"], "minLength": 2}""", "No value fits")]
    [InlineData("false", "No value fits")]
    [InlineData("""{"$ref": "#/$defs/a"}""", "$ref at # is '#/$defs/a', which the schema does not contain")]
    [InlineData("""{"$ref": "https://example.com/a"}""", "only references inside the schema")]
    [InlineData("""{"$defs": {"a": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}""", "leads back to itself")]
    [InlineData("""{"type": "text"}""", "type at # must name types")]
    [InlineData("""{"type": "array", "items": {"minItems": -1}}""", "minItems at #/items must be a whole number")]
    [InlineData("""{"anyOf": {}}""", "anyOf at # must be an array")]
    [InlineData("""{"properties": 1}""", "properties at # must be an object")]
    [InlineData("""{"properties": {"a": 1}}""", "The schema at #/properties/a must be an object, true or false")]
    [InlineData("""{"const": "\ud800"}""", "half of a surrogate pair")]
    [InlineData("12", "The schema at # must be an object")]
    public void Compile_SchemaThatIsWrong_ThrowsNamingThePlace(string schema, string message)
    {
        var thrown = Assert.Throws<JsonException>(() => JsonGrammar.Compile(JsonElement.Parse(schema)));

        Assert.Contains(message, thrown.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"a": {"a": {}}}""", true)]
    [InlineData("""{"a": {"a": {"a": {}}}}""", false)]
    public void Compile_MaxDepth_EndsTheNesting(string text, bool isAccepted) => Assert.Equal(isAccepted, Accepts(
        """{"type": "object", "properties": {"a": {"$ref": "#"}}, "additionalProperties": false}""",
        text,
        new JsonGrammarOptions { MaxDepth = 3 }));

    [Fact]
    public void Compile_ValuesDeeperThanAllowed_Throws()
    {
        var thrown = Assert.Throws<JsonException>(() => JsonGrammar.Compile(
            JsonElement.Parse("""{"type": "array", "minItems": 1, "items": {"type": "array"}}"""), new JsonGrammarOptions { MaxDepth = 1 }));

        Assert.Contains("nested 2 deep at least", thrown.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Compile_SameSchemaAgain_IsTheSameObject()
    {
        const string Schema = """{"type": "boolean"}""";

        Assert.Same(JsonGrammar.Compile(JsonElement.Parse(Schema)), JsonGrammar.Compile(JsonElement.Parse(Schema)));
        Assert.NotSame(
            JsonGrammar.Compile(JsonElement.Parse(Schema)),
            JsonGrammar.Compile(JsonElement.Parse(Schema), new JsonGrammarOptions { MaxDepth = 2 }));
    }

    [Fact]
    public void Compile_AlternativesThatLeadBack_AreThoseThatDoNot()
    {
        const string Schema = """
            {"$defs": {"a": {"anyOf": [{"$ref": "#/$defs/b"}, {"type": "string"}]}, "b": {"anyOf": [{"$ref": "#/$defs/a"}, {"type": "null"}]}},
             "$ref": "#/$defs/a"}
            """;

        Assert.True(Accepts(Schema, "null"));
        Assert.True(Accepts(Schema, "\"x\""));
        Assert.False(Accepts(Schema, "1"));
    }

    private static bool Accepts(string schema, string text, JsonGrammarOptions? options = null)
    {
        GrammarMachine machine = MachineOf(schema, options);
        return machine.Step(machine.Start, Encoding.UTF8.GetBytes(text))?.IsNullable == true;
    }

    private static GrammarMachine MachineOf(string schema, JsonGrammarOptions? options = null) =>
        JsonGrammar.Compile(JsonElement.Parse(schema), options).Bytes.MachineOf(TokenTrie.Of(GrammarVocabulary.Small));
}
