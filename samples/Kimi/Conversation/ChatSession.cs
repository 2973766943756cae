using System.Runtime.CompilerServices;
using System.Text;
using Kimi.CommandLine;
using KimiLinear.Chat;
using KimiLinear.Configuration;
using KimiLinear.Generation;
using KimiLinear.Tokenization;
using KimiLinear.ToolCalls;

namespace Kimi.Conversation;

/// <summary>A conversation: the turns so far, and the replies to new ones.</summary>
internal sealed class ChatSession(
    TextGenerator generator, KimiTokenizer tokenizer, KimiLinearConfig config, GenerationOptions options)
{
    private readonly List<ChatTurn> _turns = [];

    /// <summary>The system message; <see langword="null"/> for none.</summary>
    public string? System { get; set; }

    /// <summary>Forgets all turns but the system message.</summary>
    public void Reset() => _turns.Clear();

    /// <summary>
    /// Says something and streams the reply. What has been written when the reader leaves stays part of the conversation.
    /// </summary>
    /// <exception cref="CommandException">The conversation has become too long; nothing of this turn is kept.</exception>
    public async IAsyncEnumerable<GeneratedToken> SayAsync(
        string text, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        ChatTurn[] system = string.IsNullOrEmpty(System) ? [] : [new ChatTurn("system", System)];
        ChatTurn question = new("user", text);
        List<int> prompt = [];
        ChatTemplate.Encode(tokenizer, [.. system, .. _turns, question], tools: null, addGenerationPrompt: true, prompt);
        if (prompt.Count > config.MaxContextTokens)
        {
            throw new CommandException(
                $"The conversation has {prompt.Count:N0} tokens, but the model accepts at most {config.MaxContextTokens:N0}. "
                + "Type /reset to begin a new one.");
        }

        StringBuilder reply = new();
        try
        {
            await foreach (GeneratedToken token in generator.GenerateAsync(prompt.ToArray(), options, cancellationToken))
            {
                reply.Append(token.Text);
                yield return token;
            }
        }
        finally
        {
            ParsedReply parsed = ToolCallParser.Parse(reply.ToString(), []);
            _turns.AddRange([question, new ChatTurn("assistant", parsed.Text) { ToolCalls = parsed.Calls }]);
        }
    }
}
