using System.Runtime.CompilerServices;
using Microsoft.Extensions.AI;

namespace ChatSample;

/// <summary>A conversation: remembers the turns and sends all of them with each new one.</summary>
internal sealed class ChatSession(IChatClient client, ChatOptions options)
{
    private readonly List<ChatMessage> _history = [];

    /// <summary>Gets the system prompt, the first message of every request.</summary>
    public string? SystemPrompt { get; private set; }

    /// <summary>Gets the tools the model may call.</summary>
    public IReadOnlyList<AITool> Tools { get; } = [.. options.Tools ?? []];

    /// <summary>Forgets all turns.</summary>
    public void Reset() => _history.Clear();

    /// <summary>Forgets all turns and starts over under another system prompt.</summary>
    public void Reset(string? systemPrompt)
    {
        Reset();
        SystemPrompt = systemPrompt;
    }

    /// <summary>Sends a turn and streams the reply. A turn that is cancelled or fails is not remembered.</summary>
    public async IAsyncEnumerable<ChatResponseUpdate> SendAsync(
        string prompt, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        ChatMessage turn = new(ChatRole.User, prompt);
        List<ChatMessage> messages = [.. _history, turn];
        if (!string.IsNullOrEmpty(SystemPrompt))
        {
            messages.Insert(0, new ChatMessage(ChatRole.System, SystemPrompt));
        }

        List<ChatResponseUpdate> updates = [];
        await foreach (ChatResponseUpdate update in client.GetStreamingResponseAsync(messages, options, cancellationToken))
        {
            updates.Add(update);
            yield return update;
        }

        _history.Add(turn);
        _history.AddMessages(updates);
    }
}
