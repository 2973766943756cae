using System.Net;
using System.Text.Json;
using KimiLinear.Tokenization;
using Xunit;

namespace KimiServer.Tests;

/// <summary>Several prompts and several replies in one request.</summary>
public sealed class CompletionTests(RunningServer server)
{
    private static readonly KimiTokenizer Tokenizer = KimiTokenizer.Load(RunningServer.ModelFolder);

    [Fact]
    public async Task Prompt_EveryForm_IsContinuedAlike()
    {
        int[] ids = Tokenizer.Encode("Once upon");
        string expected = Assert.Single(await TextsAsync("Once upon"));

        Assert.NotEqual("", expected);
        Assert.Equal([expected], await TextsAsync(new[] { "Once upon" }));
        Assert.Equal([expected], await TextsAsync(ids));
        Assert.Equal([expected], await TextsAsync(new[] { ids }));
    }

    [Fact]
    public async Task Prompts_SeveralWithSeveralReplies_AreNumberedPromptByPrompt()
    {
        string[] prompts = ["Once upon", "The weather in Paris", "1, 2, 3"];
        JsonElement[] single = await Task.WhenAll(prompts.Select(
            prompt => server.ReplyAsync(Asked.Completion, new { prompt, temperature = 0, max_tokens = 8 })));
        string[] alone = [.. single.Select(one => Text(Assert.Single(Choices(one))))];

        JsonElement reply = await server.ReplyAsync(
            Asked.Completion, new { prompt = prompts, n = 2, temperature = 0, max_tokens = 8 });

        Assert.Equal(Enumerable.Range(0, 6), Choices(reply).Select(choice => choice.GetProperty("index").GetInt32()));
        Assert.Equal(alone.SelectMany(text => new[] { text, text }), Choices(reply).Select(Text));
        Assert.Equal(3, alone.Distinct().Count());
        Assert.Equal(single.Sum(one => Tokens(one, "prompt_tokens")), Tokens(reply, "prompt_tokens"));
        Assert.Equal(2 * single.Sum(one => Tokens(one, "completion_tokens")), Tokens(reply, "completion_tokens"));
    }

    [Fact]
    public async Task Prompts_ArraysOfTokenIds_AreContinuedEach()
    {
        string[] texts = ["Once upon", "1, 2, 3"];

        Assert.Equal(await TextsAsync(texts), await TextsAsync(texts.Select(text => Tokenizer.Encode(text))));
    }

    [Fact]
    public async Task Stream_SeveralReplies_EachHasItsIndexAndOneEnd()
    {
        object Request(bool stream) => new
        {
            prompt = new[] { "Once upon", "1, 2, 3" },
            n = 2,
            seed = 5,
            temperature = 1,
            max_tokens = 12,
            stream,
            stream_options = new { include_usage = true },
        };
        JsonElement whole = await server.ReplyAsync(Asked.Completion, Request(stream: false));

        List<string> events = await server.EventsAsync(Asked.Completion, Request(stream: true));

        Assert.Equal("[DONE]", events[^1]);
        JsonElement[] pieces = [.. events[..^2].Select(data => Assert.Single(Choices(JsonElement.Parse(data))))];
        foreach (JsonElement choice in Choices(whole))
        {
            int index = choice.GetProperty("index").GetInt32();
            JsonElement[] own = [.. pieces.Where(piece => piece.GetProperty("index").GetInt32() == index)];
            Assert.Equal(Text(choice), string.Concat(own.Select(Text)));
            Assert.Equal(
                choice.GetProperty("finish_reason").GetString(), own[^1].GetProperty("finish_reason").GetString());
            Assert.All(own[..^1], piece => Assert.Equal(JsonValueKind.Null, piece.GetProperty("finish_reason").ValueKind));
        }

        JsonElement usage = JsonElement.Parse(events[^2]);
        Assert.Equal(0, usage.GetProperty("choices").GetArrayLength());
        Assert.Equal(
            whole.GetProperty("usage").GetProperty("total_tokens").GetInt32(),
            usage.GetProperty("usage").GetProperty("total_tokens").GetInt32());
    }

    [Fact]
    public async Task Seed_SeveralReplies_EachOfAPromptHasTheNext()
    {
        object Request(int seed, int n) => new { prompt = "Once upon a time", seed, n, temperature = 1.5, max_tokens = 20 };
        string[] alone =
        [
            Text(Assert.Single(Choices(await server.ReplyAsync(Asked.Completion, Request(7, 1))))),
            Text(Assert.Single(Choices(await server.ReplyAsync(Asked.Completion, Request(8, 1))))),
        ];

        JsonElement both = await server.ReplyAsync(Asked.Completion, Request(7, 2));

        Assert.NotEqual(alone[0], alone[1]);
        Assert.Equal(alone, Choices(both).Select(Text));
    }

    [Theory]
    [InlineData("{}", "'prompt' is missing")]
    [InlineData("""{"prompt":3}""", "'prompt' must be a string, an array of strings, an array of token ids or an array of such arrays, but is the number 3")]
    [InlineData("""{"prompt":{"text":"x"}}""", "but is an object")]
    [InlineData("""{"prompt":[]}""", "'prompt' is an empty array")]
    [InlineData("""{"prompt":""}""", "'prompt' is empty. There must be at least one token")]
    [InlineData("""{"prompt":["a",""]}""", "'prompt[1]' is empty")]
    [InlineData("""{"prompt":[[1],[]]}""", "'prompt[1]' is empty")]
    [InlineData("""{"prompt":[true]}""", "but holds true or false")]
    [InlineData("""{"prompt":["a",[1]]}""", "begins with a string and has an array at index 1")]
    [InlineData("""{"prompt":[1,"a"]}""", "begins with the number 1 and has a string at index 1")]
    [InlineData("""{"prompt":[1,2.5]}""", "'prompt[1]' must be a token id from 0 to")]
    [InlineData("""{"prompt":[1,-2]}""", "'prompt[1]' must be a token id from 0 to")]
    [InlineData("""{"prompt":[[1,2],[3,999999]]}""", "'prompt[1][1]' must be a token id from 0 to")]
    [InlineData("""{"prompt":[[1,"a"]]}""", "'prompt[0][1]' must be a token id from 0 to")]
    [InlineData("""{"prompt":"a","n":0}""", "'n' must be a whole number, at least 1, but is 0")]
    [InlineData("""{"prompt":"a","n":129}""", "a request gets at most 128 replies")]
    [InlineData("""{"prompt":["a","b"],"n":65}""", "'n' is 65 and there are 2 prompts, but a request gets at most 128 replies")]
    [InlineData("""{"prompt":"a","best_of":2}""", "'best_of' is not supported")]
    public async Task WrongForm_IsAnsweredWithWhatIsWrong(string body, string expected)
    {
        using HttpResponseMessage response = await server.PostAsync(Asked.Completion, JsonElement.Parse(body));

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        JsonElement error = JsonElement.Parse(await response.Content.ReadAsStringAsync()).GetProperty("error");
        Assert.Contains(expected, error.GetProperty("message").GetString());
        Assert.Equal("invalid_request_error", error.GetProperty("type").GetString());
    }

    [Fact]
    public async Task Prompts_MoreThanTheLimit_AreRefusedByNumber()
    {
        using HttpResponseMessage response = await server.PostAsync(
            Asked.Completion, new { prompt = Enumerable.Repeat("a", 129) });

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Contains("'prompt' holds 129 prompts, but a request may have 128", await response.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task Replies_MoreThanTheServerTakesAtOnce_AreRefusedForGood()
    {
        await using RunningServer small = await RunningServer.StartAsync(RunningServer.Settings(model =>
        {
            model.MaxConcurrentRequests = 1;
            model.MaxQueuedRequests = 1;
        }));

        using HttpResponseMessage refused = await small.PostAsync(
            Asked.Completion, new { prompt = "Once upon", n = 3, max_tokens = 4 });
        JsonElement answered = await small.ReplyAsync(Asked.Completion, new { prompt = "Once upon", n = 2, max_tokens = 4 });

        Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
        Assert.Contains("at most 2 replies", await refused.Content.ReadAsStringAsync());
        Assert.Equal(2, Choices(answered).Length);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Replies_NotAllFit_TheRequestIsRefusedAsAWholeAndNothingIsLeft(bool stream)
    {
        await using RunningServer small = await RunningServer.StartAsync(RunningServer.Settings(model =>
        {
            model.MaxConcurrentRequests = 1;
            model.MaxQueuedRequests = 1;
        }));
        using HttpRequestMessage request = new(HttpMethod.Post, Asked.Completion)
        {
            Content = new StringContent(
                JsonSerializer.Serialize(Asked.Endless()), System.Text.Encoding.UTF8, "application/json"),
        };
        using HttpResponseMessage running = await small.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);

        // One of the two may wait; the other may not, and then neither shall.
        using HttpResponseMessage refused = await small.PostAsync(
            Asked.Completion, new { prompt = new[] { "Once upon", "1, 2, 3" }, max_tokens = 4, stream });

        Assert.Equal(HttpStatusCode.TooManyRequests, refused.StatusCode);
        running.Dispose();
        await RunningServer.UntilAsync(async () =>
            await small.MetricAsync("num_requests_waiting") + await small.MetricAsync("num_requests_running") == 0);
    }

    [Fact]
    public async Task Prompts_OneTooLong_IsRefusedByPlace()
    {
        await using RunningServer small = await RunningServer.StartAsync(
            RunningServer.Settings(model => model.MaxContextTokens = 20));

        using HttpResponseMessage response = await small.PostAsync(
            Asked.Completion, new { prompt = new[] { "a", string.Concat(Enumerable.Repeat("mouse ", 100)) } });

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        string body = await response.Content.ReadAsStringAsync();
        Assert.Contains("'prompt[1]': The prompt has", body);
        Assert.Contains("context_length_exceeded", body);
    }

    private async Task<string[]> TextsAsync(object prompt)
    {
        JsonElement reply = await server.ReplyAsync(Asked.Completion, new { prompt, temperature = 0, max_tokens = 8 });
        return [.. Choices(reply).Select(Text)];
    }

    private static JsonElement[] Choices(JsonElement reply) => [.. reply.GetProperty("choices").EnumerateArray()];

    private static int Tokens(JsonElement reply, string name) => reply.GetProperty("usage").GetProperty(name).GetInt32();

    private static string Text(JsonElement choice) => choice.GetProperty("text").GetString()!;
}
