using System.Net;
using System.Text;
using System.Text.Json;
using KimiServer.Hosting;
using KimiServer.Requests;
using Microsoft.Extensions.AI;
using Xunit;

namespace KimiServer.Tests;

/// <summary>Bodies that are JSON and yet not what can be answered: each is told so, and none is the server's failure.</summary>
public sealed class BodyTests(RunningServer server)
{
    private const string Half = "holds half a character";

    [Theory]
    [InlineData(""" "tool_choice":"\ud800" """, "'tool_choice' " + Half)]
    [InlineData(""" "response_format":{"type":"json_schema","json_schema":{"schema":{"enum":["\ud800"]}}} """,
        "'response_format.json_schema.schema.enum[0]' " + Half)]
    [InlineData(""" "tools":[{"function":{"name":"f","parameters":{"description":"\ud800"}}}] """,
        "'tools[0].function.parameters.description' " + Half)]
    [InlineData(""" "tools":[{"function":{"name":"f","parameters":{"properties":{"\udc00":{}}}}}] """,
        "A name in 'tools[0].function.parameters.properties' " + Half)]
    [InlineData(""" "logit_bias":{"\ud800":1} """, "A name in 'logit_bias' " + Half)]
    [InlineData(""" "\ud800":1 """, "A name in the body " + Half)]
    public Task Chat_HalfACharacterAnywhere_IsAnsweredWithItsPlace(string field, string expected) =>
        RequireRefusalAsync($$"""{"messages":[{"role":"user","content":"x"}],{{field}}}""", expected);

    // A place built for each value would copy 200 GB.
    [Fact]
    public async Task Require_ManyValuesUnderALongName_ReadsThemOnce()
    {
        string name = new('n', 1_000_000);
        string zeros = string.Join(',', Enumerable.Repeat('0', 100_000));
        JsonElement whole = JsonElement.Parse($$"""{"{{name}}":[{{zeros}}],"x":"\u0041"}""");
        JsonElement half = JsonElement.Parse($$"""{"{{name}}":[{{zeros}}],"x":["\ud800"]}""");

        Task<ApiException> reading = Task.Run(
            () =>
            {
                BodyText.Require(whole);
                return Assert.Throws<ApiException>(() => BodyText.Require(half));
            },
            TestContext.Current.CancellationToken);

        ApiException refusal = await reading.WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);
        Assert.Equal("x[0]", refusal.Parameter);
        Assert.StartsWith("'x[0]' " + Half, refusal.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(""" {"role":"user","content":[null]} """, "'messages[0].content[0]' must be an object, but is null")]
    [InlineData(""" {"role":"user","content":[{}]} """, "'messages[0].content[0].type' must be 'text', but is ''")]
    [InlineData(""" {"role":"user","content":[{"type":"text"}]} """, "'messages[0].content[0]' has no 'text'")]
    [InlineData(""" {"role":"user","content":[{"type":"image_url"}]} """, "reads text only")]
    [InlineData(""" {"role":"user","content":[{"type":"input_audio","input_audio":{"data":"AA==","format":"wav"}}]} """, "reads text only")]
    [InlineData(""" {"role":"assistant","tool_calls":[null]} """, "'messages[0].tool_calls[0]' must be an object, but is null")]
    [InlineData(""" {"role":"assistant","tool_calls":[{"id":"1"}]} """, "'messages[0].tool_calls[0]' has no 'function'")]
    [InlineData(""" {"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":"{}"}}]} """,
        "'messages[0].tool_calls[0]' has no 'id'")]
    [InlineData(""" {"role":"assistant","tool_calls":[{"id":"1","function":{"name":"","arguments":"{}"}}]} """,
        "'messages[0].tool_calls[0].function' has no 'name'")]
    [InlineData(""" {"role":"assistant","tool_calls":[{"id":"1","function":{"name":"f","arguments":{}}}]} """,
        "'messages[0].tool_calls[0].function.arguments' must be a string, but is an object")]
    [InlineData(""" {"role":"assistant","tool_calls":[{"id":"1","type":"custom","custom":{}}]} """,
        "'messages[0].tool_calls[0].type' must be 'function', but is 'custom'")]
    public Task Chat_MessageOfAnotherShape_IsAnsweredWithItsPlace(string message, string expected) =>
        RequireRefusalAsync($$"""{"messages":[{{message}}]}""", expected);

    [Theory]
    [InlineData("""[{"type":"text","text":"a"},{"type":"text","text":"b"}]""", "ab")]
    [InlineData("[]", "")]
    [InlineData("\"null\"", "null")]
    [InlineData("\"\\\"quoted\\\"\"", "\"quoted\"")]
    [InlineData("\"{\\\"cut\\\": \\\"\\\\ud83d\\\"}\"", "{\"cut\": \"\\ud83d\"}")]
    public void Read_ResultOfATool_IsItsText(string content, string expected)
    {
        ChatMessage message = Assert.Single(Read($$"""{"role":"tool","tool_call_id":"1","content":{{content}}}"""));

        var result = Assert.IsType<FunctionResultContent>(Assert.Single(message.Contents));
        Assert.Equal((ChatRole.Tool, "1", expected), (message.Role, result.CallId, result.Result?.ToString()));
    }

    [Fact]
    public async Task Chat_ArgumentsWithHalfACharacter_GoBackToTheModel()
    {
        object call = new { id = "functions.f:0", type = "function", function = new { name = "f", arguments = """{"a": "\ud83d"}""" } };

        JsonElement reply = await server.ReplyAsync(Asked.Chat, new
        {
            messages = new object[]
            {
                new { role = "user", content = "x" },
                new { role = "assistant", tool_calls = new[] { call } },
                new { role = "tool", tool_call_id = "functions.f:0", content = """{"cut": "\ud83d"}""" },
            },
            max_tokens = 4,
        });

        Assert.Equal(JsonValueKind.Array, reply.GetProperty("choices").ValueKind);
    }

    [Theory]
    [InlineData(Asked.Chat, "\"ignore_eos\":true", "'ignore_eos' is not supported")]
    [InlineData(Asked.Chat, "\"min_tokens\":3", "'min_tokens' is not supported")]
    [InlineData(Asked.Chat, "\"continue_final_message\":true", "'continue_final_message' is not supported")]
    [InlineData(Asked.Completion, "\"stop_token_ids\":[1]", "'stop_token_ids' is not supported")]
    [InlineData(Asked.Completion, "\"response_format\":{\"type\":\"json_object\"}", "'response_format' is not supported")]
    [InlineData(Asked.Completion, "\"guided_json\":{}", "'guided_json' is not supported")]
    [InlineData(Asked.Chat, "\"logprobs\":false,\"top_logprobs\":0,\"min_tokens\":0,\"ignore_eos\":false,\"stop_token_ids\":[]", null)]
    [InlineData(Asked.Completion, "\"response_format\":{\"type\":\"text\"},\"bad_words\":[],\"guided_json\":null", null)]
    public async Task Field_WhoseNeglectWouldChangeTheAnswer_IsRefusedUnlessItAsksForNothing(string path, string field, string? expected)
    {
        string body = $$"""{"messages":[{"role":"user","content":"x"}],"prompt":"x","max_tokens":4,{{field}}}""";
        if (expected is not null)
        {
            await RequireRefusalAsync(body, expected, path);
            return;
        }

        await server.ReplyAsync(path, JsonElement.Parse(body));
    }

    private static IReadOnlyList<ChatMessage> Read(string message) =>
        ChatRequest.Read(new RequestFields(JsonElement.Parse($$"""{"messages":[{{message}}]}"""))).Messages;

    private async Task RequireRefusalAsync(string body, string expected, string path = Asked.Chat)
    {
        using HttpResponseMessage response = await server.Http.PostAsync(
            path, new StringContent(body, Encoding.UTF8, "application/json"));

        string error = JsonElement.Parse(await response.Content.ReadAsStringAsync())
            .GetProperty("error").GetProperty("message").GetString()!;
        Assert.Contains(expected, error);
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
    }
}
