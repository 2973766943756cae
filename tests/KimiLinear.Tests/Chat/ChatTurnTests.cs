using System.Text.Json;
using KimiLinear.Chat;
using KimiLinear.ToolCalls;
using Xunit;

namespace KimiLinear.Tests.Chat;

public sealed class ChatTurnTests
{
    [Fact]
    public void FromJson_AllMembers_AreRead()
    {
        ChatTurn turn = ChatTurn.FromJson(JsonElement.Parse(
            """
            {"role": "assistant", "name": "kimi", "content": "Hi", "tool_call_id": "x", "refusal": null, "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{ \"a\":1 }"}},
                {"function": {"name": "g", "arguments": {"ü":[1.0,{"b":null}],"a":"é\n"}}}]}
            """));

        Assert.Equal(("assistant", "kimi", "Hi", "x"), (turn.Role, turn.Name, turn.Content, turn.ToolCallId));
        Assert.Equal(
            [new ToolCall("call_1", "f", "{ \"a\":1 }"), new ToolCall("", "g", """{"ü": [1.0, {"b": null}], "a": "é\n"}""")],
            turn.ToolCalls);
    }

    [Theory]
    [InlineData("""{"role":"user"}""", null)]
    [InlineData("""{"role":"user","content":null,"tool_calls":null,"name":null,"tool_call_id":null}""", null)]
    [InlineData("""{"role":"user","content":""}""", "")]
    [InlineData("""{"role":"user","content":[]}""", "")]
    [InlineData("""{"role":"user","content":[{"type":"text","text":"a"},{"text":" b\n"},{"type":"input_text","text":"c"}]}""",
        "a b\nc")]
    public void FromJson_Content_IsReadVerbatim(string json, string? content)
    {
        ChatTurn turn = ChatTurn.FromJson(JsonElement.Parse(json));

        Assert.Equal(content, turn.Content);
        Assert.Empty(turn.ToolCalls);
    }

    [Theory]
    [InlineData("null", "message must be an object, but is null.")]
    [InlineData("{}", "message.role is missing.")]
    [InlineData("""{"role":""}""", "message.role must not be empty.")]
    [InlineData("""{"role":3}""", "message.role must be a string, but is a number.")]
    [InlineData("""{"role":"user","name":[]}""", "message.name must be a string, but is an array.")]
    [InlineData("""{"role":"user","content":true}""",
        "message.content must be a string, null or an array of parts, but is a Boolean.")]
    [InlineData("""{"role":"user","content":["a"]}""", "message.content[0] must be an object, but is a string.")]
    [InlineData("""{"role":"user","content":[{"type":"text"}]}""", "message.content[0].text is missing.")]
    [InlineData("""{"role":"user","content":"\uD83D"}""",
        "message.content holds half of a surrogate pair, which no text can hold.")]
    [InlineData("""{"role":"assistant","tool_calls":{}}""", "message.tool_calls must be an array, but is an object.")]
    [InlineData("""{"role":"assistant","tool_calls":[{}]}""", "message.tool_calls[0].function is missing.")]
    [InlineData("""{"role":"assistant","tool_calls":[{"function":{"arguments":""}}]}""",
        "message.tool_calls[0].function.name is missing.")]
    [InlineData("""{"role":"assistant","tool_calls":[{"function":{"name":"f"}}]}""",
        "message.tool_calls[0].function.arguments is missing.")]
    public void FromJson_AnotherShape_SaysWhatIsWrongWhere(string json, string message) =>
        Assert.Equal(message, Assert.Throws<JsonException>(() => ChatTurn.FromJson(JsonElement.Parse(json))).Message);

    [Theory]
    [InlineData("""{"type":"image"}""", "an image")]
    [InlineData("""{"type":"image_url","image_url":{"url":"x"}}""", "an image")]
    [InlineData("""{"type":"text","text":"a","image":"x"}""", "an image")]
    [InlineData("""{"type":"input_audio","input_audio":{}}""", "of type 'input_audio'")]
    public void FromJson_ContentOtherThanText_IsRefused(string part, string kind)
    {
        JsonElement json = JsonElement.Parse($$"""{"role":"user","content":[{"text":"a"},{{part}}]}""");

        NotSupportedException exception = Assert.Throws<NotSupportedException>(() => ChatTurn.FromJson(json));

        Assert.Equal($"message.content[1] is {kind}, but the model reads text only. Remove it.", exception.Message);
    }

    [Fact]
    public void Constructor_NoRole_Throws() => Assert.Throws<ArgumentException>(() => new ChatTurn(""));
}
