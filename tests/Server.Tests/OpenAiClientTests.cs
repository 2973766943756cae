using System.ClientModel;
using OpenAI.Chat;
using OpenAI.Models;
using Xunit;

namespace KimiServer.Tests;

/// <summary>OpenAI's own client against the server.</summary>
public sealed class OpenAiClientTests(RunningServer server)
{
    private const string Weather = "The weather in Paris is sunny with 18 degrees.";

    private static readonly ChatTool GetWeather = ChatTool.CreateFunctionTool(
        "get_weather",
        "Get the current weather for a city",
        BinaryData.FromString(
            """{"type":"object","properties":{"city":{"type":"string","description":"The city"}},"required":["city"]}"""));

    private ChatClient Client => server.OpenAi().GetChatClient("kimi-linear-tiny");

    [Fact]
    public async Task CompleteChat_Question_AnswersAndCountsTokens()
    {
        ChatCompletion reply = await Client.CompleteChatAsync([new UserChatMessage(Asked.WhoAreYou)], Greedy());

        Assert.Equal(Asked.Introduction, Assert.Single(reply.Content).Text);
        Assert.Equal(ChatFinishReason.Stop, reply.FinishReason);
        Assert.Equal("kimi-linear-tiny", reply.Model);
        Assert.Equal((13, 17, 30), (reply.Usage.InputTokenCount, reply.Usage.OutputTokenCount, reply.Usage.TotalTokenCount));
    }

    [Fact]
    public async Task CompleteChat_LimitOfTokens_EndsWithLength()
    {
        ChatCompletionOptions options = Greedy();
        options.MaxOutputTokenCount = 3;

        ChatCompletion reply = await Client.CompleteChatAsync([new UserChatMessage(Asked.WhoAreYou)], options);

        Assert.Equal(ChatFinishReason.Length, reply.FinishReason);
        Assert.Equal(3, reply.Usage.OutputTokenCount);
    }

    [Fact]
    public async Task CompleteChatStreaming_Question_StreamsTextThenReasonThenUsage()
    {
        List<StreamingChatCompletionUpdate> updates = await StreamAsync([new UserChatMessage(Asked.WhoAreYou)], Greedy());

        Assert.Equal(Asked.Introduction, TextOf(updates));
        Assert.Equal(ChatFinishReason.Stop, updates[^2].FinishReason);
        Assert.All(updates[..^2], update => Assert.Null(update.FinishReason));
        Assert.Equal(17, updates[^1].Usage.OutputTokenCount);
    }

    [Fact]
    public async Task CompleteChat_ToolOverTwoTurns_AnswersFromItsResult()
    {
        List<ChatMessage> conversation = [new UserChatMessage("What is the weather in Paris?")];

        ChatCompletion asking = await Client.CompleteChatAsync(conversation, Greedy(GetWeather));
        ChatToolCall call = Assert.Single(asking.ToolCalls);
        conversation.AddRange(new AssistantChatMessage(asking), Result(call.Id));
        ChatCompletion answer = await Client.CompleteChatAsync(conversation, Greedy(GetWeather));

        Assert.Equal(ChatFinishReason.ToolCalls, asking.FinishReason);
        Assert.Equal("get_weather", call.FunctionName);
        Assert.Equal("""{"city": "Paris"}""", call.FunctionArguments.ToString());
        Assert.Equal(Weather, answer.Content[0].Text);
    }

    [Fact]
    public async Task CompleteChatStreaming_ToolOverTwoTurns_AnswersFromItsResult()
    {
        List<ChatMessage> conversation = [new UserChatMessage("What is the weather in Paris?")];

        List<StreamingChatCompletionUpdate> asking = await StreamAsync(conversation, Greedy(GetWeather));
        StreamingChatToolCallUpdate call = Assert.Single(asking.SelectMany(update => update.ToolCallUpdates));
        conversation.AddRange(
            new AssistantChatMessage(
                [ChatToolCall.CreateFunctionToolCall(call.ToolCallId, call.FunctionName, call.FunctionArgumentsUpdate)]),
            Result(call.ToolCallId));
        List<StreamingChatCompletionUpdate> answer = await StreamAsync(conversation, Greedy(GetWeather));

        Assert.Equal(ChatFinishReason.ToolCalls, Assert.Single(asking, update => update.FinishReason is not null).FinishReason);
        Assert.Equal(0, call.Index);
        Assert.Equal(Weather, TextOf(answer));
    }

    [Fact]
    public async Task CompleteChat_NoneAsToolChoice_CallsNothing()
    {
        ChatCompletionOptions options = Greedy(GetWeather);
        options.ToolChoice = ChatToolChoice.CreateNoneChoice();

        ChatCompletion reply = await Client.CompleteChatAsync([new UserChatMessage("What is the weather in Paris?")], options);

        Assert.Empty(reply.ToolCalls);
        Assert.Equal(ChatFinishReason.Stop, reply.FinishReason);
    }

    [Fact]
    public async Task CompleteChat_Picture_IsRefused()
    {
        UserChatMessage message = new(ChatMessageContentPart.CreateImagePart(new Uri("http://example.com/picture.png")));

        ClientResultException exception = await Assert.ThrowsAsync<ClientResultException>(
            () => Client.CompleteChatAsync(message));

        Assert.Equal(400, exception.Status);
        Assert.Contains("text only", exception.Message);
    }

    [Fact]
    public async Task CompleteChat_AnotherModel_IsNotFound()
    {
        ClientResultException exception = await Assert.ThrowsAsync<ClientResultException>(
            () => server.OpenAi().GetChatClient("another").CompleteChatAsync("Hello"));

        Assert.Equal(404, exception.Status);
        Assert.Contains("model_not_found", exception.Message);
    }

    [Fact]
    public async Task GetModels_Server_NamesItsModel()
    {
        OpenAIModelClient models = server.OpenAi().GetOpenAIModelClient();

        OpenAIModel listed = Assert.Single((await models.GetModelsAsync()).Value);
        OpenAIModel asked = await models.GetModelAsync("kimi-linear-tiny");

        Assert.Equal("kimi-linear-tiny", listed.Id);
        Assert.Equal("kimi-linear-tiny", asked.Id);
    }

    private static ChatCompletionOptions Greedy(params ChatTool[] tools)
    {
        ChatCompletionOptions options = new() { Temperature = 0 };
        foreach (ChatTool tool in tools)
        {
            options.Tools.Add(tool);
        }

        return options;
    }

    private static ToolChatMessage Result(string callId) => new(callId, """{"temperature": 18, "condition": "sunny"}""");

    private static string TextOf(IEnumerable<StreamingChatCompletionUpdate> updates) =>
        string.Concat(updates.SelectMany(update => update.ContentUpdate).Select(part => part.Text));

    private async Task<List<StreamingChatCompletionUpdate>> StreamAsync(
        IEnumerable<ChatMessage> conversation, ChatCompletionOptions options)
    {
        List<StreamingChatCompletionUpdate> updates = [];
        await foreach (StreamingChatCompletionUpdate update in Client.CompleteChatStreamingAsync(conversation, options))
        {
            updates.Add(update);
        }

        return updates;
    }
}
