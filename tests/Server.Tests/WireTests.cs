using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using KimiLinear.Tokenization;
using Xunit;

namespace KimiServer.Tests;

/// <summary>What goes over the wire, byte by byte.</summary>
public sealed class WireTests(RunningServer server)
{
    [Fact]
    public async Task ChatStream_Question_SaysWhoSpeaksThenTextThenReasonThenDone()
    {
        List<string> events = await server.EventsAsync(Asked.Chat, Asked.Introducing(stream: true));

        Assert.Equal("[DONE]", events[^1]);
        JsonElement[] chunks = [.. events[..^1].Select(Parse)];
        Assert.Equal("""{"content":"","role":"assistant"}""", Choice(chunks[0]).GetProperty("delta").GetRawText());
        Assert.Equal(
            Asked.Introduction,
            string.Concat(chunks[1..^1].Select(chunk => Choice(chunk).GetProperty("delta").GetProperty("content").GetString())));
        Assert.Equal("{}", Choice(chunks[^1]).GetProperty("delta").GetRawText());
        Assert.All(chunks[..^1], chunk => Assert.Equal(JsonValueKind.Null, Choice(chunk).GetProperty("finish_reason").ValueKind));
        Assert.Equal("stop", Choice(chunks[^1]).GetProperty("finish_reason").GetString());
        Assert.Single(chunks.Select(chunk => chunk.GetProperty("id").GetString()).Distinct());
        Assert.All(chunks, chunk => Assert.Equal("chat.completion.chunk", chunk.GetProperty("object").GetString()));
        Assert.All(chunks, chunk => Assert.False(chunk.TryGetProperty("usage", out _)));
    }

    [Fact]
    public async Task ChatStream_UsageAskedFor_ComesInAChunkWithoutChoices()
    {
        List<string> events = await server.EventsAsync(Asked.Chat, new
        {
            messages = Asked.User(Asked.WhoAreYou),
            temperature = 0,
            stream = true,
            stream_options = new { include_usage = true },
        });

        JsonElement last = Parse(events[^2]);
        Assert.Equal(0, last.GetProperty("choices").GetArrayLength());
        Assert.Equal(30, last.GetProperty("usage").GetProperty("total_tokens").GetInt32());
        Assert.True(last.GetProperty("timings").GetProperty("decode_tokens_per_second").GetDouble() > 0);
    }

    [Fact]
    public async Task Chat_Question_HasTheShapeOfACompletion()
    {
        JsonElement reply = await server.ReplyAsync(Asked.Chat, Asked.Introducing());

        JsonElement choice = Choice(reply);
        Assert.Equal("chat.completion", reply.GetProperty("object").GetString());
        Assert.Equal("assistant", choice.GetProperty("message").GetProperty("role").GetString());
        Assert.Equal(Asked.Introduction, choice.GetProperty("message").GetProperty("content").GetString());
        Assert.False(choice.GetProperty("message").TryGetProperty("tool_calls", out _));
        Assert.Equal(JsonValueKind.Null, choice.GetProperty("logprobs").ValueKind);
        Assert.True(reply.GetProperty("timings").GetProperty("time_to_first_token_seconds").GetDouble() > 0);
    }

    [Fact]
    public async Task Chat_UnknownFieldsAndNulls_AreIgnored()
    {
        JsonElement reply = await server.ReplyAsync(Asked.Chat, new
        {
            messages = Asked.User(Asked.WhoAreYou),
            temperature = 0,
            n = 1,
            logprobs = false,
            store = true,
            metadata = new { colour = "blue" },
            max_tokens = (int?)null,
            tools = Array.Empty<object>(),
            parallel_tool_calls = true,
            top_k = -1,
        });

        Assert.Equal(Asked.Introduction, Choice(reply).GetProperty("message").GetProperty("content").GetString());
    }

    [Fact]
    public async Task Chat_StopAsText_EndsBeforeIt()
    {
        JsonElement reply = await server.ReplyAsync(
            Asked.Chat, new { messages = Asked.User(Asked.WhoAreYou), temperature = 0, stop = " trained" });

        Assert.Equal("I am a tiny Kimi Linear model,", Choice(reply).GetProperty("message").GetProperty("content").GetString());
        Assert.Equal("stop", Choice(reply).GetProperty("finish_reason").GetString());
    }

    [Fact]
    public async Task Chat_ReplyWithoutText_IsAnEmptyTextAsClientsTakeIt()
    {
        JsonElement reply = await server.ReplyAsync(
            Asked.Chat, new { messages = Asked.User(Asked.WhoAreYou), temperature = 0, stop = "I" });

        Assert.Equal("", Choice(reply).GetProperty("message").GetProperty("content").GetString());
    }

    [Fact]
    public async Task Chat_CallThatDoesNotParse_GoesBackToTheModel()
    {
        object call = new { id = "functions.add:0", type = "function", function = new { name = "add", arguments = "{\"a\": 1," } };

        JsonElement reply = await server.ReplyAsync(Asked.Chat, new
        {
            messages = new object[]
            {
                new { role = "user", content = "Add 1 and 2." },
                new { role = "assistant", content = (string?)null, tool_calls = new[] { call } },
                new { role = "tool", tool_call_id = "functions.add:0", content = "The arguments are no JSON." },
            },
            temperature = 0,
            max_tokens = 20,
        });

        Assert.Equal(JsonValueKind.String, Choice(reply).GetProperty("message").GetProperty("content").ValueKind);
    }

    [Theory]
    [InlineData("\"Once upon\"")]
    [InlineData("[\"Once upon\"]")]
    public async Task Completion_Text_IsContinued(string prompt)
    {
        JsonElement reply = await server.ReplyAsync(
            Asked.Completion, new { prompt = Parse(prompt), temperature = 0, max_tokens = 5 });

        Assert.Equal("text_completion", reply.GetProperty("object").GetString());
        Assert.NotEqual("", Choice(reply).GetProperty("text").GetString());
        Assert.Equal("length", Choice(reply).GetProperty("finish_reason").GetString());
        Assert.Equal(5, reply.GetProperty("usage").GetProperty("completion_tokens").GetInt32());
    }

    [Fact]
    public async Task Completion_TokenIds_AreContinuedLikeTheirText()
    {
        object Request(object prompt) => new { prompt, temperature = 0, max_tokens = 8 };
        JsonElement byText = await server.ReplyAsync(Asked.Completion, Request("a"));
        int[] ids = KimiTokenizer.Load(RunningServer.ModelFolder).Encode("a");
        JsonElement byIds = await server.ReplyAsync(Asked.Completion, Request(ids));

        Assert.Equal(Choice(byText).GetProperty("text").GetString(), Choice(byIds).GetProperty("text").GetString());
    }

    [Fact]
    public async Task CompletionStream_Text_JoinsToTheWholeReply()
    {
        object Request(bool stream) =>
            new { prompt = "Once upon", temperature = 0, max_tokens = 8, stream, stream_options = new { include_usage = true } };
        JsonElement whole = await server.ReplyAsync(Asked.Completion, Request(stream: false));
        List<string> events = await server.EventsAsync(Asked.Completion, Request(stream: true));

        Assert.Equal("[DONE]", events[^1]);
        Assert.Equal(
            Choice(whole).GetProperty("text").GetString(),
            string.Concat(events[..^2].Select(data => Choice(Parse(data)).GetProperty("text").GetString())));
        Assert.Equal(8, Parse(events[^2]).GetProperty("usage").GetProperty("completion_tokens").GetInt32());
    }

    [Theory]
    [InlineData("", "not JSON")]
    [InlineData("{", "not JSON")]
    [InlineData("[]", "must be a JSON object, but is an array")]
    [InlineData("{}", "'messages' is empty or missing")]
    [InlineData("""{"messages":3}""", "'messages' must be an array, but is the number 3")]
    [InlineData("""{"messages":["hi"]}""", "'messages[0]' must be an object, but is a string")]
    [InlineData("""{"messages":[{"role":"boss","content":"x"}]}""", "'messages[0].role' must be one of")]
    [InlineData("""{"messages":[{"role":"user","content":3}]}""", "'messages[0].content' must be a string or an array")]
    [InlineData("""{"messages":[{"role":"user"}]}""", "'messages[0]' has no 'content'")]
    [InlineData("""{"messages":[{"role":"tool","content":"x"}]}""", "without 'tool_call_id'")]
    [InlineData("""{"messages":[{"role":"user","content":"\ud800"}]}""", "'messages[0].content' holds half a character")]
    [InlineData("""{"messages":[{"role":"user","content":[{"type":"weird"}]}]}""", "'messages[0].content[0].type' must be 'text'")]
    [InlineData("""{"messages":[{"role":"user","content":"x"}],"temperature":"hot"}""", "'temperature' must be a number, but is a string")]
    [InlineData("""{"messages":[{"role":"user","content":"x"}],"temperature":-1}""", "Temperature must be")]
    [InlineData("""{"messages":[{"role":"user","content":"x"}],"max_tokens":0}""", "'max_tokens' must be a whole number, at least 1")]
    [InlineData("""{"messages":[{"role":"user","content":"x"}],"stop":[3]}""", "'stop' must be a string")]
    [InlineData("""{"messages":[{"role":"user","content":"x"}],"logprobs":true}""", "'logprobs' is not supported")]
    [InlineData("""{"messages":[{"role":"user","content":"x"}],"n":2}""", "'n' is not supported")]
    [InlineData("""{"messages":[{"role":"user","content":"x"}],"functions":[{"name":"f"}]}""", "declare functions in 'tools'")]
    [InlineData("""{"messages":[{"role":"user","content":"x"}],"tools":[{"type":"web"}]}""", "'tools[0].type' must be 'function'")]
    [InlineData("""{"messages":[{"role":"user","content":"x"}],"tools":[{"function":{}}]}""", "'tools[0].function' has no 'name'")]
    [InlineData("""{"messages":[{"role":"user","content":"x"}],"tool_choice":"required"}""", "there are no tools")]
    [InlineData("""{"messages":[{"role":"user","content":"x"}],"response_format":{"type":"xml"}}""", "'response_format.type' must be")]
    [InlineData("""{"messages":[{"role":"user","content":"x"}],"logit_bias":{"hello":1}}""", "'logit_bias' must map token ids")]
    [InlineData("""{"messages":[{"role":"user","content":"x"}],"logit_bias":{"99999":1}}""", "LogitBias must be keyed by token ids")]
    public async Task Chat_WrongBody_IsAnsweredWithWhatIsWrong(string body, string expected)
    {
        using HttpResponseMessage response = await PostTextAsync(body);

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        JsonElement error = Parse(await response.Content.ReadAsStringAsync()).GetProperty("error");
        Assert.Contains(expected, error.GetProperty("message").GetString());
        Assert.Equal("invalid_request_error", error.GetProperty("type").GetString());
        Assert.True(error.TryGetProperty("param", out _));
        Assert.True(error.TryGetProperty("code", out _));
    }

    [Fact]
    public async Task Chat_BytesThatAreNoText_AreRefused()
    {
        byte[] body = [.. "{\"messages\":[{\"role\":\"user\",\"content\":\""u8, 0xC3, 0x28, .. "\"}]}"u8];
        using ByteArrayContent content = new(body);
        content.Headers.ContentType = new MediaTypeHeaderValue("application/json");

        using HttpResponseMessage response = await server.Http.PostAsync(Asked.Chat, content);

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
    }

    [Fact]
    public async Task Chat_NestedWithoutEnd_IsRefused()
    {
        using HttpResponseMessage response = await PostTextAsync(
            string.Concat(Enumerable.Repeat("{\"a\":[", 100_000)));

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
    }

    [Theory]
    [InlineData("GET", Asked.Chat, HttpStatusCode.MethodNotAllowed)]
    [InlineData("POST", Asked.Chat, HttpStatusCode.UnsupportedMediaType)]
    [InlineData("GET", "/v1/nothing", HttpStatusCode.NotFound)]
    [InlineData("GET", "/v1/models/org/another", HttpStatusCode.NotFound)]
    public async Task Request_WrongPlace_IsAnsweredWithAnError(string method, string path, HttpStatusCode expected)
    {
        using HttpRequestMessage request = new(new HttpMethod(method), path);

        using HttpResponseMessage response = await server.Http.SendAsync(request);

        Assert.Equal(expected, response.StatusCode);
        JsonElement error = Parse(await response.Content.ReadAsStringAsync()).GetProperty("error");
        Assert.NotEqual("", error.GetProperty("message").GetString());
    }

    [Fact]
    public async Task Metrics_AfterARequest_CountIt()
    {
        double before = await server.MetricAsync("generation_tokens_total");

        await server.ReplyAsync(Asked.Chat, Asked.Introducing());

        Assert.True(await server.MetricAsync("generation_tokens_total") >= before + 17);
    }

    private static JsonElement Parse(string json) => JsonElement.Parse(json);

    private static JsonElement Choice(JsonElement reply) => reply.GetProperty("choices")[0];

    private Task<HttpResponseMessage> PostTextAsync(string body) =>
        server.Http.PostAsync(Asked.Chat, new StringContent(body, Encoding.UTF8, "application/json"));
}
