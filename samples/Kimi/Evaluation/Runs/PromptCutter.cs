using KimiLinear.Tokenization;
using Microsoft.Extensions.AI;

namespace Kimi.Evaluation.Runs;

/// <summary>Shortens prompts as LongBench does: the first and the last half of the tokens stay, the middle goes.</summary>
/// <param name="tokenizer">Counts tokens.</param>
/// <param name="maxTokens">The most tokens of the last message, which holds the text.</param>
internal sealed class PromptCutter(KimiTokenizer tokenizer, int maxTokens)
{
    public IReadOnlyList<ChatMessage> Cut(IReadOnlyList<ChatMessage> messages)
    {
        int[] ids = tokenizer.Encode(messages[^1].Text);
        if (ids.Length <= maxTokens)
        {
            return messages;
        }

        int half = maxTokens / 2;
        string text = tokenizer.Decode(ids.AsSpan(0, half)) + tokenizer.Decode(ids.AsSpan(ids.Length - half));
        return [.. messages.SkipLast(1), new ChatMessage(messages[^1].Role, text)];
    }
}
