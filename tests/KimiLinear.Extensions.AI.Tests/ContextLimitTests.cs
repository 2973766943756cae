using Microsoft.Extensions.AI;
using Xunit;

namespace KimiLinear.Extensions.AI.Tests;

public sealed class ContextLimitTests
{
    private const int Context = 40;

    [Fact]
    public async Task GetResponseAsync_ContextFull_EndsWithLength()
    {
        using TemporaryModelFolder folder = new();
        folder.SetConfig("model_max_length", Context);
        using KimiLinearChatClient client = KimiLinearChatClient.Load(folder.Path);

        ChatResponse response = await StreamRules.CheckAsync(
            client.GetStreamingResponseAsync("Tell me a story about a blue bear.", TinyModel.Greedy()));

        Assert.Equal(ChatFinishReason.Length, response.FinishReason);
        Assert.InRange(response.Usage!.TotalTokenCount!.Value, Context, Context + 1);
    }

    [Fact]
    public void Load_ContextLongerThanTheModels_IsRefusedBeforeTheWeightsAreRead()
    {
        using TemporaryModelFolder folder = new();
        folder.SetConfig("model_max_length", Context);
        foreach (string file in Directory.EnumerateFiles(folder.Path, "*.safetensors"))
        {
            File.Delete(file);
        }

        ArgumentException exception = Assert.Throws<ArgumentException>(() => KimiLinearChatClient.Load(
            new KimiLinearChatClientOptions { ModelPath = folder.Path, MaxContextTokens = Context + 1 }));

        Assert.Contains($"reads at most {Context} tokens", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void GetStreamingResponseAsync_PromptLongerThanTheContext_IsRefusedAtOnce()
    {
        using TemporaryModelFolder folder = new();
        folder.SetConfig("model_max_length", Context);
        using KimiLinearChatClient client = KimiLinearChatClient.Load(folder.Path);
        string text = string.Concat(Enumerable.Repeat("mouse ", 2 * Context));

        ArgumentException exception = Assert.Throws<ArgumentException>(() => { client.GetStreamingResponseAsync(text); });

        Assert.Contains($"at most {Context}", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task GetStreamingResponseAsync_LogitBiasOfATokenItLacks_IsRefusedAtOnce()
    {
        using KimiLinearChatClient client = KimiLinearChatClient.Load(TinyModel.Folder);
        ChatOptions options = new()
        {
            AdditionalProperties = new()
            {
                [KimiLinearChatClient.LogitBiasProperty] = new Dictionary<int, float> { [1_000_000] = 1 },
            },
        };

        Assert.Throws<ArgumentOutOfRangeException>(() => { client.GetStreamingResponseAsync("Hello!", options); });
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(async () => await client.GetResponseAsync("Hello!", options));
    }
}
