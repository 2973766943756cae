using System.Text.Json;
using System.Text.RegularExpressions;
using KimiLinear.ToolCalls;
using Xunit;

namespace KimiLinear.Tests.ToolCalls;

public sealed class ToolDeclarationTests
{
    [Fact]
    public void ToJson_NameDescriptionAndParameters_IsTheOpenAiFormSorted()
    {
        JsonElement schema = JsonElement.Parse(
            """{"type": "object", "properties": {"city": {"type": "string", "default": "Zürich"}}}""");

        ToolDeclaration tool = new("get_weather", "Get <the> weather", schema);

        Assert.Equal(
            """{"function":{"description":"Get <the> weather","name":"get_weather","parameters":"""
            + """{"properties":{"city":{"default":"Zürich","type":"string"}},"type":"object"}},"type":"function"}""",
            tool.ToJson());
    }

    [Fact]
    public void ToJson_NameOnly_LeavesTheRestOut() =>
        Assert.Equal(
            """{"function":{"name":"now"},"type":"function"}""", new ToolDeclaration("now", null, default(JsonElement)).ToJson());

    [Fact]
    public void FromJson_UnknownKeys_KeepsThem()
    {
        JsonElement json = JsonElement.Parse(
            """{"type":"function","x":1.0,"function":{"strict":true,"name":"f","description":null}}""");

        ToolDeclaration tool = ToolDeclaration.FromJson(json);

        Assert.Equal("""{"function":{"description":null,"name":"f","strict":true},"type":"function","x":1.0}""", tool.ToJson());
        Assert.Equal("f", tool.Name);
        Assert.Null(tool.Description);
        Assert.Null(tool.Parameters);
    }

    [Fact]
    public void FromJson_TheDocumentIsDisposed_ParametersStayReadable()
    {
        ToolDeclaration tool;
        using (JsonDocument document = JsonDocument.Parse("""{"function":{"name":"f","description":"d","parameters":{"a":1}}}"""))
        {
            tool = ToolDeclaration.FromJson(document.RootElement);
        }

        Assert.Equal("d", tool.Description);
        Assert.Equal(1, tool.Parameters!.Value.GetProperty("a").GetInt32());
    }

    [Theory]
    [InlineData("3", "tool must be an object, but is a number.")]
    [InlineData("{}", "tool.function is missing.")]
    [InlineData("""{"function":null}""", "tool.function must be an object, but is null.")]
    [InlineData("""{"function":{}}""", "tool.function.name is missing.")]
    [InlineData("""{"function":{"name":""}}""", "tool.function.name must not be empty.")]
    [InlineData("""{"function":{"name":["f"]}}""", "tool.function.name must be a string, but is an array.")]
    [InlineData("""{"function":{"name":"f","description":{}}}""",
        "tool.function.description must be a string, but is an object.")]
    [InlineData("""{"function":{"name":"f","x":"\uD800"}}""",
        "tool holds a string with half of a surrogate pair or with bytes that are not UTF-8, which no text can hold.")]
    public void FromJson_AnotherShape_SaysWhatIsWrongWhere(string json, string message) =>
        Assert.Equal(message, Assert.Throws<JsonException>(() => ToolDeclaration.FromJson(JsonElement.Parse(json))).Message);

    [Fact]
    public void Constructor_DeeplyNestedSchema_KeepsItWhole()
    {
        string schema = string.Concat(Enumerable.Repeat("""{"a":""", 200)) + "1" + new string('}', 200);

        ToolDeclaration tool = new("f", parameters: JsonElement.Parse(schema, new JsonDocumentOptions { MaxDepth = 200 }));

        Assert.Contains(schema, tool.ToJson());
    }

    // The framework's parser does not look at the bytes of strings.
    [Fact]
    public void Constructor_SchemaThatIsNotUtf8_Throws()
    {
        JsonElement schema = JsonDocument.Parse((byte[])[.. "{\"type\":\"object\",\"title\":\""u8, 0xFF, .. "\"}"u8]).RootElement;

        Assert.Contains("no text", Assert.Throws<JsonException>(() => new ToolDeclaration("f", parameters: schema)).Message);
    }

    // The framework's writer would put U+FFFD in its place, and the model would call another name.
    [Theory]
    [InlineData(@"f\ud800", null, "name holds half of a surrogate pair at index 1")]
    [InlineData(@"😀\udc00", null, "name holds half of a surrogate pair at index 2")]
    [InlineData("f", @"cut \ud83d", "description holds half of a surrogate pair at index 4")]
    public void Constructor_HalfASurrogatePair_Throws(string name, string? description, string message) =>
        Assert.StartsWith(message, Assert.Throws<ArgumentException>(
            () => new ToolDeclaration(Regex.Unescape(name), Regex.Unescape(description ?? ""))).Message);

    [Theory]
    [InlineData("\0", "\\u0000")]
    [InlineData("\u2028😀", "\u2028😀")]
    public void ToJson_UnusualNames_AreKept(string name, string written)
    {
        JsonElement schema = JsonElement.Parse($$"""{"{{written}}":0}""");

        ToolDeclaration tool = new(name, name, schema);

        Assert.Equal(name, tool.Name);
        Assert.Equal(
            $$$"""{"function":{"description":"{{{written}}}","name":"{{{written}}}","parameters":{"{{{written}}}":0}},"""
            + "\"type\":\"function\"}",
            tool.ToJson());
    }

    [Fact]
    public void Constructor_VeryLongName_IsKept()
    {
        string name = new('n', 1_000_000);

        Assert.Equal($$$"""{"function":{"name":"{{{name}}}"},"type":"function"}""", new ToolDeclaration(name).ToJson());
    }

    [Fact]
    public void Constructor_EmptyName_Throws() => Assert.Throws<ArgumentException>(() => new ToolDeclaration(""));
}
