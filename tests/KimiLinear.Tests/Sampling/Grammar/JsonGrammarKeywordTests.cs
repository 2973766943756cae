using System.Text;
using System.Text.Json;
using KimiLinear.Sampling;
using Xunit;

namespace KimiLinear.Tests.Sampling;

/// <summary>Keywords that meet: each keeps its meaning beside the others.</summary>
public sealed class JsonGrammarKeywordTests
{
    // Listed numbers are written as they are listed, whatever the limits of numbers that are not.
    [Theory]
    [InlineData("""{"enum": [1e2, 7], "minimum": 8}""", "1e2", true)]
    [InlineData("""{"enum": [1e2, 7], "minimum": 8}""", "7", false)]
    [InlineData("""{"type": "integer", "enum": [1234567890123456789, 5], "minimum": 5}""", "1234567890123456789", true)]
    [InlineData("""{"const": 1.0, "multipleOf": 1}""", "1.0", true)]
    [InlineData("""{"enum": [0.30, 0.31], "multipleOf": 0.1}""", "0.30", true)]
    [InlineData("""{"enum": [0.30, 0.31], "multipleOf": 0.1}""", "0.31", false)]
    [InlineData("""{"const": 0.12345678901234567890, "exclusiveMaximum": 1e5}""", "0.12345678901234567890", true)]
    [InlineData("""{"enum": [3, 3.000, 4], "exclusiveMinimum": 3}""", "3.000", false)]
    [InlineData("""{"enum": [5, 1e200], "maximum": 1e100}""", "1e200", false)]
    [InlineData("""{"enum": [5, 1e200], "maximum": 1e100}""", "5", true)]
    [InlineData("""{"enum": [5, -1e200], "exclusiveMinimum": -1e100}""", "-1e200", false)]
    [InlineData("""{"enum": [5, 1e100], "exclusiveMaximum": 1e100}""", "1e100", false)]
    [InlineData("""{"enum": [5, 1e100], "maximum": 1e100}""", "1e100", true)]
    [InlineData("""{"type": "integer", "enum": [1e500, 2]}""", "1e500", true)]
    [InlineData("""{"type": "integer", "enum": [0.0e999, 12.50e1, 1e99999999999999999999]}""", "0.0e999", true)]
    [InlineData("""{"type": "integer", "enum": [0.0e999, 12.50e1, 1e99999999999999999999]}""", "12.50e1", true)]
    [InlineData("""{"type": "integer", "enum": [0.0e999, 12.50e1, 1e99999999999999999999]}""", "1e99999999999999999999", true)]
    [InlineData("""{"type": "integer", "enum": [1e-99999999999999999999, 5]}""", "1e-99999999999999999999", false)]
    [InlineData("""{"enum": [5, 1e500], "maximum": 10}""", "1e500", false)]
    [InlineData("""{"enum": [5, -1e4999], "minimum": 3}""", "-1e4999", false)]
    [InlineData("""{"enum": [5, 1e500], "minimum": 3, "multipleOf": 5}""", "1e500", true)]
    [InlineData("""{"enum": [5, -0.0e99999], "minimum": 1}""", "-0.0e99999", false)]
    [InlineData("""{"enum": [4e40, 5e40], "multipleOf": 2e40}""", "4e40", true)]
    [InlineData("""{"enum": [4e40, 5e40], "multipleOf": 2e40}""", "5e40", false)]
    [InlineData("""{"enum": ["2020-02-29", "2021-02-29"], "format": "date"}""", "\"2021-02-29\"", false)]
    [InlineData("""{"enum": ["ab", "😀", "abc"], "maxLength": 1, "pattern": "[^a]"}""", "\"😀\"", true)]
    [InlineData("""{"enum": ["ab", "😀", "abc"], "minLength": 3, "pattern": "^[a-c]+$"}""", "\"ab\"", false)]
    [InlineData("""{"enum": ["ab", "😀", "abc"], "minLength": 3, "pattern": "^[a-c]+$"}""", "\"abc\"", true)]
    public void Compile_ListedValuesBesideOtherKeywords_AreThoseThatFit(string schema, string text, bool isAccepted) =>
        Assert.Equal(isAccepted, Accepts(schema, text));

    [Fact]
    public void Compile_ListedValueOfAFormatKnownInPart_IsKeptAndReported()
    {
        const string Schema = """{"enum": ["https://[::1]/", "https://example.com/"], "format": "uri"}""";

        Assert.True(Accepts(Schema, "\"https://[::1]/\""));
        Assert.Contains("https://[::1]/", Assert.Single(Compile(Schema).UnenforcedKeywords).Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Compile_ListedDateOfTheYearZero_IsKeptAndReported()
    {
        const string Schema = """{"format": "date", "const": "0000-01-01"}""";

        Assert.True(Accepts(Schema, "\"0000-01-01\""));
        Assert.Contains("0000-01-01", Assert.Single(Compile(Schema).UnenforcedKeywords).Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Compile_ListedNumbersBeyondAVeryLargeBound_AreNoValue()
    {
        var thrown = Assert.Throws<JsonException>(() => Compile("""{"const": 1e200, "maximum": 1e100}"""));

        Assert.Contains("No value fits", thrown.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Compile_ListedNumbersBesideABoundThatIsNotRead_AreKeptAndReported()
    {
        const string Schema = """{"enum": [5, 1e200], "maximum": 1e500}""";

        Assert.True(Accepts(Schema, "1e200"));
        Assert.Equal("maximum", Assert.Single(Compile(Schema).UnenforcedKeywords).Keyword);
    }

    [Fact]
    public void Compile_ListedNumberThatIsNotReadBesideABound_IsKeptAndReported()
    {
        const string Schema = """{"enum": [5, 2, 1e50000], "minimum": 3}""";

        Assert.True(Accepts(Schema, "1e50000"));
        Assert.True(Accepts(Schema, "5"));
        Assert.False(Accepts(Schema, "2"));
        Assert.Equal("minimum", Assert.Single(Compile(Schema).UnenforcedKeywords).Keyword);
    }

    [Fact]
    public void Compile_ListedIntegerThatIsNotReadInAOneOf_MayOverlap()
    {
        const string Schema = """{"oneOf": [{"enum": [1e500, 1.5]}, {"type": "integer"}]}""";

        Assert.Equal("oneOf", Assert.Single(Compile(Schema).UnenforcedKeywords).Keyword);
    }

    [Fact]
    public void Compile_ListedNumbersThatCannotBeCompared_ThrowsNamingThePlace()
    {
        var thrown = Assert.Throws<JsonException>(() => Compile("""{"enum": [1e99999999999], "const": 1e99999999999}"""));

        Assert.Contains("schema's enum at # holds a number", thrown.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("email", "john.q.public@example.com", true)]
    [InlineData("email", "a@b", false)]
    [InlineData("email", "a..b@example.com", false)]
    [InlineData("email", "a@subdomain-with-a-name-of-more-than-32-letters.example.com", true)]
    [InlineData("uri", "file:///etc/hosts", true)]
    [InlineData("uri", "http://localhost:50051/", true)]
    [InlineData("uri", "http://localhost:65536/", false)]
    [InlineData("uri", "https:///x", false)]
    public void Compile_FormatKnownInPart_TakesTheUsualForms(string format, string text, bool isAccepted) =>
        Assert.Equal(isAccepted, Accepts($$"""{"type": "string", "format": "{{format}}"}""", $"\"{text}\""));

    [Fact]
    public void Compile_EmailWithALongLocalPart_TakesSixtyFourCharacters()
    {
        const string Schema = """{"type": "string", "format": "email"}""";

        Assert.True(Accepts(Schema, $"\"{new string('a', 31)}.{new string('b', 32)}@example.com\""));
        Assert.False(Accepts(Schema, $"\"{new string('a', 32)}.{new string('b', 32)}@example.com\""));
    }

    // Lengths that are usual for a column of a database, and the longest that an address may have.
    [Theory]
    [InlineData(80)]
    [InlineData(100)]
    [InlineData(128)]
    [InlineData(200)]
    [InlineData(254)]
    [InlineData(255)]
    [InlineData(320)]
    public void Compile_EmailWithALength_IsEnforced(int length)
    {
        string schema = $$"""{"type": "string", "format": "email", "maxLength": {{length}}}""";
        char[] domain = [.. Enumerable.Repeat('b', length - 65)];
        foreach (int dot in domain.Length < 64 ? [domain.Length - 2] : new[] { 63, 127, 191 }.Where(dot => dot < domain.Length))
        {
            domain[dot] = '.';
        }

        string longest = $"{new string('a', 64)}@{new string(domain)}";

        Assert.Empty(Compile(schema).UnenforcedKeywords);
        Assert.True(Accepts(schema, $"\"{longest}\""));
        Assert.True(Accepts(schema, "\"a@example.com\""));
        Assert.False(Accepts(schema, $"\"{longest}b\""));
    }

    // What is beside the alternatives holds for each of them, and may be what keeps them apart.
    [Theory]
    [InlineData("""{"type": "object", "required": ["kind"], "oneOf": [{"properties": {"kind": {"const": "a"}}}, {"properties": {"kind": {"const": "b"}}}]}""")]
    [InlineData("""{"type": "object", "oneOf": [{"properties": {"k": {"const": 1}}, "required": ["k"]}, {"properties": {"k": {"const": 2}}, "required": ["k"]}]}""")]
    [InlineData("""{"type": "string", "oneOf": [{"enum": ["a", 1]}, {"enum": ["b", 1]}]}""")]
    [InlineData("""{"type": "object", "properties": {"a": {}}, "required": ["a"], "unevaluatedProperties": false}""")]
    [InlineData("""{"allOf": [{"properties": {"a": {}}, "required": ["a"]}], "properties": {"b": {}}, "unevaluatedProperties": false}""")]
    public void Compile_WhatTheRestSeesTo_IsEnforced(string schema) => Assert.Empty(Compile(schema).UnenforcedKeywords);

    [Fact]
    public void CompileObject_UnevaluatedPropertiesOfTheArguments_AreEnforced()
    {
        var schema = JsonElement.Parse(
            """{"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "unevaluatedProperties": false}""");

        Assert.Empty(JsonGrammar.CompileObject(schema, new JsonGrammarOptions { IsStrict = true }).UnenforcedKeywords);
    }

    // Replies to these may be wrong, which must be said.
    [Theory]
    [InlineData("""{"type": "object", "required": ["a"], "unevaluatedProperties": false}""", "unevaluatedProperties")]
    [InlineData("""{"allOf": [{"properties": {"x": {"properties": {"a": {}}, "unevaluatedProperties": false}}}, {"properties": {"x": {"properties": {"b": {}}}}}]}""", "unevaluatedProperties")]
    [InlineData("""{"patternProperties": {"^x-": {"type": "integer"}}, "required": ["x-a"], "additionalProperties": false}""", "patternProperties")]
    [InlineData("""{"type": "string", "pattern": "^a{9999999999}$"}""", "pattern")]
    public void Compile_WhatIsLeftOpen_IsReported(string schema, string keyword) =>
        Assert.Equal(keyword, Assert.Single(Compile(schema).UnenforcedKeywords).Keyword);

    [Fact]
    public void Compile_IdThatIsNoString_ThrowsNamingThePlace()
    {
        var thrown = Assert.Throws<JsonException>(() => Compile("""{"$id": 5, "$ref": "#/$defs/a", "$defs": {"a": true}}"""));

        Assert.Contains("$id at # must be a string", thrown.Message, StringComparison.Ordinal);
    }

    private static bool Accepts(string schema, string text)
    {
        GrammarMachine machine = Compile(schema).Bytes.MachineOf(TokenTrie.Of(GrammarVocabulary.Small));
        return machine.Step(machine.Start, Encoding.UTF8.GetBytes(text))?.IsNullable == true;
    }

    private static JsonGrammar Compile(string schema) => JsonGrammar.Compile(JsonElement.Parse(schema));
}
