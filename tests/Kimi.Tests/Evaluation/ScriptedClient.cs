using Microsoft.Extensions.AI;

namespace Kimi.Tests.Evaluation;

/// <summary>A model whose replies are known: which one depends on a piece of the prompt.</summary>
internal sealed class ScriptedClient : IChatClient
{
    private readonly Dictionary<string, Func<ChatOptions, string>> _replies = [];
    private readonly List<string> _prompts = [];

    /// <summary>The prompts that came, each as the text of its messages.</summary>
    public IReadOnlyList<string> Prompts
    {
        get
        {
            lock (_prompts)
            {
                return [.. _prompts];
            }
        }
    }

    /// <summary>Says what answers a prompt that holds a piece of text.</summary>
    public ScriptedClient On(string piece, string reply) => On(piece, _ => reply);

    public ScriptedClient On(string piece, Func<ChatOptions, string> reply)
    {
        _replies.Add(piece, reply);
        return this;
    }

    public async Task<ChatResponse> GetResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default)
    {
        await Task.Yield();
        string prompt = string.Join('\n', messages.Select(message => message.Text));
        lock (_prompts)
        {
            _prompts.Add(prompt);
        }

        string reply = _replies.Single(pair => prompt.Contains(pair.Key, StringComparison.Ordinal)).Value(options!);
        return new ChatResponse(new ChatMessage(ChatRole.Assistant, reply))
        {
            FinishReason = ChatFinishReason.Stop,
            Usage = new UsageDetails { InputTokenCount = 10, OutputTokenCount = 3 },
        };
    }

    public IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default) =>
        throw new NotSupportedException();

    public object? GetService(Type serviceType, object? serviceKey = null) => null;

    public void Dispose()
    {
    }
}
