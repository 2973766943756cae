using System.Text;
using System.Text.Json;
using KimiLinear.Chat;
using KimiLinear.Configuration;
using KimiLinear.Generation;
using KimiLinear.Model;
using KimiLinear.Sampling;
using KimiLinear.Tests.TestSupport;
using KimiLinear.Tokenization;
using Xunit;

namespace KimiLinear.Tests.Generation;

/// <summary>All golden conversations of the trained small model, from messages to reply, on every backend a user can get.</summary>
public sealed class GoldenReplyTests
{
    // Under this gap between the two best tokens a tie may fall either way; see tests/golden/README.md.
    private const double SmallestSafeMargin = 0.02;

    private static readonly JsonElement[] Conversations =
        [.. File.ReadLines(Path.Combine(Golden.Root, "tiny", "greedy.jsonl")).Select(line => JsonElement.Parse(line))];

    [Theory]
    [MemberData(nameof(Backend.ProductionNames), MemberType = typeof(Backend))]
    public async Task GenerateAsync_EveryGoldenConversation_GivesTheExpectedIdsAndText(string backend)
    {
        using KimiLinearModel model = Backend.Load(Golden.TinyModel, backend);
        KimiTokenizer tokenizer = KimiTokenizer.Load(Golden.TinyModel);
        TextGenerator generator = new(model, tokenizer, GenerationConfig.Load(Golden.TinyModel));
        GenerationOptions options = new() { SamplingOptions = new SamplingOptions { Temperature = 0 }, IncludeSpecialTokens = true };

        int nearTies = 0;
        Assert.Equal(201, Conversations.Length);
        foreach (JsonElement conversation in Conversations)
        {
            ChatPrompt prompt = ChatPrompt.FromJson(conversation);
            List<int> promptIds = [];
            ChatTemplate.Encode(tokenizer, prompt.Turns, prompt.Tools, prompt.AddGenerationPrompt, promptIds);

            List<int> replyIds = [];
            StringBuilder replyText = new();
            await foreach (GeneratedToken token in generator.GenerateAsync(promptIds.ToArray(), options))
            {
                replyIds.Add(token.Id);
                replyText.Append(token.Text);
            }

            Assert.Equal(Integers(conversation, "prompt_ids"), promptIds);
            if (conversation.GetProperty("smallest_margin").GetDouble() < SmallestSafeMargin)
            {
                nearTies++;
                continue;
            }

            Assert.Equal(Integers(conversation, "reply_ids"), replyIds);
            Assert.Equal(conversation.GetProperty("reply_text").GetString(), replyText.ToString());
        }

        Assert.Equal(2, nearTies);
    }

    private static IEnumerable<int> Integers(JsonElement json, string name) =>
        json.GetProperty(name).EnumerateArray().Select(id => id.GetInt32());
}
