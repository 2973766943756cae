using System.Text.Json;
using KimiLinear.Chat;
using Xunit;

namespace KimiLinear.Tests.Chat;

public sealed class ChatPromptTests
{
    [Theory]
    [InlineData("""{"messages":[]}""", true)]
    [InlineData("""{"messages":[],"tools":null,"add_generation_prompt":null,"model":"x"}""", true)]
    [InlineData("""{"messages":[],"tools":[],"add_generation_prompt":false}""", false)]
    public void FromJson_LittleSaid_TakesTheDefaults(string json, bool addGenerationPrompt)
    {
        ChatPrompt prompt = ChatPrompt.FromJson(JsonElement.Parse(json));

        Assert.Empty(prompt.Turns);
        Assert.Empty(prompt.Tools);
        Assert.Equal(addGenerationPrompt, prompt.AddGenerationPrompt);
    }

    [Theory]
    [InlineData("[]", "The request must be an object, but is an array.")]
    [InlineData("{}", "messages is missing.")]
    [InlineData("""{"messages":null}""", "messages must be an array, but is null.")]
    [InlineData("""{"messages":[{"role":"user"},{}]}""", "messages[1].role is missing.")]
    [InlineData("""{"messages":[],"tools":{}}""", "tools must be an array, but is an object.")]
    [InlineData("""{"messages":[],"tools":[{"function":{}}]}""", "tools[0].function.name is missing.")]
    [InlineData("""{"messages":[],"add_generation_prompt":1}""", "add_generation_prompt must be true or false, but is a number.")]
    [InlineData(
        """{"\ud800abcdefghijkl":1,"messages":[]}""", "The request holds a name with half of a surrogate pair, which no text can hold.")]
    [InlineData(
        """{"messages":[{"role":"user","content":[{"\ud800_url":1,"text":""}]}]}""",
        "messages[0].content[0] holds a name with half of a surrogate pair, which no text can hold.")]
    [InlineData(
        """{"messages":[],"tools":[{"function":{"\ud800abcdefghijkl":1,"name":"add"}}]}""",
        "tools[0].function holds a name with half of a surrogate pair, which no text can hold.")]
    public void FromJson_AnotherShape_SaysWhatIsWrongWhere(string json, string message) =>
        Assert.Equal(message, Assert.Throws<JsonException>(() => ChatPrompt.FromJson(JsonElement.Parse(json))).Message);

    [Fact]
    public void FromJson_AFaultDeepInside_NamesThePath()
    {
        const string Json =
            """{"messages":[{"role":"user"},{"role":"assistant","tool_calls":[{"function":{"arguments":"{}"}}]}]}""";

        JsonException exception = Assert.Throws<JsonException>(() => ChatPrompt.FromJson(JsonElement.Parse(Json)));

        Assert.Equal("messages[1].tool_calls[0].function.name", exception.Path);
    }
}
