using System.ComponentModel;
using System.Net;
using System.Text;
using System.Text.Json;
using KimiLinear.Extensions.AI;
using Microsoft.Extensions.AI;
using OpenAI.Chat;
using Xunit;
using ChatResponseFormat = OpenAI.Chat.ChatResponseFormat;

namespace KimiServer.Tests;

/// <summary>Replies of a form that the request asks for.</summary>
public sealed class StructuredOutputTests(RunningServer server)
{
    private const string Schema =
        """
        {"type":"object","properties":{"name":{"type":"string","maxLength":10},"age":{"type":"integer","minimum":0,"maximum":120}},
        "required":["name","age"],"additionalProperties":false}
        """;

    private ChatClient Client => server.OpenAi().GetChatClient("kimi-linear-tiny");

    [Fact]
    public async Task CompleteChat_Schema_IsMet()
    {
        ChatCompletionOptions options = new()
        {
            Temperature = 0,
            ResponseFormat = ChatResponseFormat.CreateJsonSchemaFormat(
                "person", BinaryData.FromString(Schema), jsonSchemaIsStrict: true),
        };

        ChatCompletion reply = await Client.CompleteChatAsync([new UserChatMessage("Describe a person.")], options);

        JsonElement person = JsonElement.Parse(reply.Content[0].Text);
        Assert.Equal(["name", "age"], person.EnumerateObject().Select(property => property.Name));
        Assert.InRange(person.GetProperty("age").GetInt32(), 0, 120);
    }

    [Fact]
    public async Task CompleteChat_JsonObject_IsJson()
    {
        ChatCompletionOptions options = new()
        {
            Temperature = 0,
            MaxOutputTokenCount = 300,
            ResponseFormat = ChatResponseFormat.CreateJsonObjectFormat(),
        };

        ChatCompletion reply = await Client.CompleteChatAsync([new UserChatMessage("Give me a JSON object.")], options);

        Assert.Equal(OpenAI.Chat.ChatFinishReason.Stop, reply.FinishReason);
        Assert.Equal(JsonValueKind.Object, JsonElement.Parse(reply.Content[0].Text).ValueKind);
    }

    [Fact]
    public async Task GetResponse_Type_IsRead()
    {
        ChatResponse<Answer> response = await Client.AsIChatClient().GetResponseAsync<Answer>(
            "Is Paris in France?", new ChatOptions { Temperature = 0 });

        Assert.IsType<Answer>(response.Result);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task CompleteChat_CallRequired_IsMade(bool byName)
    {
        ChatCompletionOptions options = new()
        {
            Temperature = 0,
            Tools =
            {
                ChatTool.CreateFunctionTool(
                    "get_weather",
                    "Get the current weather for a city",
                    BinaryData.FromString(
                        """{"type":"object","properties":{"city":{"type":"string","maxLength":12}},"required":["city"]}""")),
            },
            ToolChoice = byName ? ChatToolChoice.CreateFunctionChoice("get_weather") : ChatToolChoice.CreateRequiredChoice(),
        };

        ChatCompletion reply = await Client.CompleteChatAsync([new UserChatMessage("Hello!")], options);

        Assert.All(reply.ToolCalls, call => Assert.Equal("get_weather", call.FunctionName));
        Assert.NotEmpty(reply.ToolCalls);
        Assert.NotEqual("", JsonElement.Parse(reply.ToolCalls[0].FunctionArguments.ToString()).GetProperty("city").GetString());
    }

    [Theory]
    [InlineData("\"strict\":false,", HttpStatusCode.OK)]
    [InlineData("", HttpStatusCode.OK)]
    [InlineData("\"strict\":true,", HttpStatusCode.BadRequest)]
    public async Task Schema_ThatCannotBeEnforcedInFull_IsRefusedOnlyIfStrict(string strict, HttpStatusCode expected)
    {
        const string schema = """{"type":"object","properties":{"a":{"type":"string","format":"int32","maxLength":3}}}""";
        await using RunningServer other = await RunningServer.StartAsync(
            RunningServer.Settings(model => model.UnsupportedOptionBehavior = UnsupportedOptionBehavior.Throw));
        string[] fields =
        [
            $$$"""
            "tools":[{"type":"function","function":{{{{strict}}}"name":"f","parameters":{{{schema}}}}}]
            """,
            $$$"""
            "response_format":{"type":"json_schema","json_schema":{{{{strict}}}"name":"s","schema":{{{schema}}}}}
            """,
        ];
        foreach (string field in fields)
        {
            using StringContent body = new(
                $$"""{"messages":[{"role":"user","content":"x"}],"max_tokens":4,{{field}}}""", Encoding.UTF8, "application/json");
            using HttpResponseMessage response = await other.Http.PostAsync(Asked.Chat, body);

            string answer = await response.Content.ReadAsStringAsync();
            Assert.Equal((expected, answer), (response.StatusCode, answer));
            Assert.DoesNotContain("UnsupportedOptionBehavior", answer);
        }
    }

    private sealed record Answer([property: Description("Whether it is so")] bool Yes);
}
