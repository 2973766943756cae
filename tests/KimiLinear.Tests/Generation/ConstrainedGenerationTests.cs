using System.Text.Json;
using KimiLinear.Generation;
using KimiLinear.Sampling;
using KimiLinear.Tests.Sampling;
using KimiLinear.ToolCalls;
using Xunit;

namespace KimiLinear.Tests.Generation;

public sealed class ConstrainedGenerationTests(TinyModel tiny) : IClassFixture<TinyModel>
{
    private const string Person = """
        {"type": "object", "properties": {
          "name": {"type": "string", "minLength": 1, "maxLength": 12}, "age": {"type": "integer", "minimum": 0, "maximum": 120},
          "tags": {"type": "array", "items": {"enum": ["a", "b"]}, "maxItems": 3}},
         "required": ["name", "age", "tags"], "additionalProperties": false}
        """;

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public async Task GenerateAsync_JsonBySchema_FitsAtEveryTemperature(float temperature)
    {
        JsonElement schema = JsonElement.Parse(Person);
        ReplyGrammar grammar = ReplyGrammar.Json(JsonGrammar.Compile(schema));

        for (ulong seed = 0; seed < 5; seed++)
        {
            List<GeneratedToken> tokens = await Generate(
                "Tell me about Anna.", grammar, new SamplingOptions { Temperature = temperature, Seed = seed });

            Assert.Equal(FinishReason.EndOfText, tokens[^1].FinishReason);
            Assert.True(SchemaValidator.IsValid(schema, JsonElement.Parse(Text(tokens))), Text(tokens));
        }
    }

    [Fact]
    public async Task GenerateAsync_CallRequired_CallsWhereTheModelWouldTalk()
    {
        ToolDeclaration tool = new(
            "get_weather", "Weather of a city", JsonElement.Parse("""{"type": "object", "properties": {"city": {"type": "string", "maxLength": 30}}, "required": ["city"]}"""));
        ReplyGrammar grammar = ToolCallGrammar.Create(
            [tool], new ToolCallGrammarOptions { IsCallRequired = true, AllowSeveral = false, FirstIndex = 3 });

        List<GeneratedToken> tokens = await Generate("Hello", grammar, new SamplingOptions { Temperature = 0 });

        ToolCall call = Assert.Single(ToolCallParser.Parse(Text(tokens), [tool]).Calls);
        Assert.Equal(("functions.get_weather:3", "get_weather"), (call.Id, call.Name));
        Assert.Equal(JsonValueKind.String, JsonElement.Parse(call.Arguments).GetProperty("city").ValueKind);
    }

    [Fact]
    public async Task GenerateAsync_TextOrCalls_GreedyReplyOfATrainedQuestionIsAsWithoutGrammar()
    {
        ReplyGrammar grammar = ToolCallGrammar.Create([new ToolDeclaration("get_weather")]);

        List<GeneratedToken> tokens = await Generate("Hello", grammar, new SamplingOptions { Temperature = 0 });

        Assert.Equal("Hello! How can I help you today?", Text(tokens));
    }

    [Fact]
    public async Task GenerateAsync_SharedGrammar_ServesSeveralRequestsAtOnce()
    {
        JsonElement schema = JsonElement.Parse(Person);
        ReplyGrammar grammar = ReplyGrammar.Json(JsonGrammar.Compile(schema, new JsonGrammarOptions { MaxDepth = 5 }));

        List<GeneratedToken>[] replies = await Task.WhenAll(Enumerable.Range(0, 4).Select(seed =>
            Generate("Hello", grammar, new SamplingOptions { Temperature = 2, Seed = (ulong)seed })));

        Assert.All(replies, tokens => Assert.True(SchemaValidator.IsValid(schema, JsonElement.Parse(Text(tokens))), Text(tokens)));
    }

    [Fact]
    public void GenerateAsync_NoTokenEndsTheReply_ThrowsAtOnce()
    {
        GenerationOptions options = new() { Grammar = ReplyGrammar.Json(JsonGrammar.AnyObject), StopTokenIds = [] };

        Assert.Throws<ArgumentException>(() => tiny.CreateGenerator().GenerateAsync(tiny.Ask("Hello"), options));
    }

    private async Task<List<GeneratedToken>> Generate(string question, ReplyGrammar grammar, SamplingOptions sampling)
    {
        GenerationOptions options = new() { Grammar = grammar, SamplingOptions = sampling, MaxTokens = 400, IncludeSpecialTokens = true };
        return await tiny.CreateGenerator().GenerateAsync(tiny.Ask(question), options).ToListAsync();
    }

    private static string Text(IEnumerable<GeneratedToken> tokens) => string.Concat(tokens.Select(token => token.Text));
}
