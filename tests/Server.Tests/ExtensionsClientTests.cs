using System.ComponentModel;
using Microsoft.Extensions.AI;
using Xunit;

namespace KimiServer.Tests;

/// <summary>Microsoft.Extensions.AI's client for OpenAI's interface against the server.</summary>
public sealed class ExtensionsClientTests(RunningServer server)
{
    private IChatClient Client => server.OpenAi().GetChatClient("kimi-linear-tiny").AsIChatClient();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task GetResponse_ToolsInvokedByTheCaller_AnswersFromTheirResults(bool stream)
    {
        List<string> cities = [];
        AIFunction weather = AIFunctionFactory.Create(
            ([Description("The city")] string city) =>
            {
                cities.Add(city);
                return new { temperature = 18, condition = "sunny" };
            },
            "get_weather",
            "Get the current weather for a city");
        IChatClient client = Client.AsBuilder().UseFunctionInvocation().Build();
        ChatOptions options = new() { Temperature = 0, Tools = [weather] };

        ChatResponse response = stream
            ? await client.GetStreamingResponseAsync("What is the weather in Paris?", options).ToChatResponseAsync()
            : await client.GetResponseAsync("What is the weather in Paris?", options);

        Assert.Equal(["Paris"], cities);
        Assert.Equal("The weather in Paris is sunny with 18 degrees.", response.Text);
        Assert.Equal(ChatFinishReason.Stop, response.FinishReason);
    }

    [Fact]
    public async Task GetStreamingResponse_Tool_FinishesWithToolCalls()
    {
        AITool weather = AIFunctionFactory.CreateDeclaration(
            "get_weather",
            "Get the current weather for a city",
            AIFunctionFactory.Create(([Description("The city")] string city) => city).JsonSchema);

        ChatResponse response = await Client.GetStreamingResponseAsync(
            "What is the weather in Paris?", new ChatOptions { Temperature = 0, Tools = [weather] }).ToChatResponseAsync();

        Assert.Equal(ChatFinishReason.ToolCalls, response.FinishReason);
        FunctionCallContent call = Assert.Single(
            response.Messages.SelectMany(message => message.Contents).OfType<FunctionCallContent>());
        Assert.Equal("Paris", call.Arguments!["city"]?.ToString());
    }

    [Fact]
    public async Task GetStreamingResponse_Question_CountsTokensOnce()
    {
        List<ChatResponseUpdate> updates = [];
        await foreach (ChatResponseUpdate update in Client.GetStreamingResponseAsync(
            Asked.WhoAreYou, new ChatOptions { Temperature = 0 }))
        {
            updates.Add(update);
        }

        Assert.Equal(Asked.Introduction, string.Concat(updates.Select(update => update.Text)));
        UsageContent usage = Assert.Single(updates.SelectMany(update => update.Contents).OfType<UsageContent>());
        Assert.Equal((13, 17), (usage.Details.InputTokenCount, usage.Details.OutputTokenCount));
    }
}
