using System.Text.Json;
using KimiLinear.ToolCalls;

namespace KimiLinear.Chat;

/// <summary>One message of a conversation.</summary>
public sealed record ChatTurn
{
    /// <summary>Initializes a new instance of the <see cref="ChatTurn"/> class.</summary>
    /// <param name="role">
    /// Who speaks: <c>system</c>, <c>user</c>, <c>assistant</c> or <c>tool</c>. The model reads any other role as it reads
    /// <c>system</c>, under its own name.
    /// </param>
    /// <param name="content">The text, verbatim; <see langword="null"/> and empty are rendered alike.</param>
    /// <exception cref="ArgumentException"><paramref name="role"/> is <see langword="null"/> or empty.</exception>
    public ChatTurn(string role, string? content = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(role);
        Role = role;
        Content = content;
    }

    /// <summary>Gets who speaks.</summary>
    public string Role { get; }

    /// <summary>Gets the name the model reads in place of the role; <see langword="null"/> or empty: the role.</summary>
    public string? Name { get; init; }

    /// <summary>Gets the text, or <see langword="null"/> if there is none.</summary>
    public string? Content { get; init; }

    /// <summary>Gets the tools this turn calls, in order; only an assistant's are rendered.</summary>
    /// <value>The default is none.</value>
    public IReadOnlyList<ToolCall> ToolCalls
    {
        get;
        init
        {
            ArgumentNullException.ThrowIfNull(value, nameof(ToolCalls));
            field = value;
        }
    } = [];

    /// <summary>Gets the id of the call that a <c>tool</c> turn answers.</summary>
    public string? ToolCallId { get; init; }

    /// <summary>Reads a message in the form of the OpenAI API.</summary>
    /// <param name="json">
    /// An object with <c>role</c> and, as the role needs it, <c>content</c> (a string, null, or a list of text parts, which are
    /// joined), <c>name</c>, <c>tool_calls</c> (the arguments as a string, or as a value that is written as JSON) and
    /// <c>tool_call_id</c>. Other members are ignored.
    /// </param>
    /// <returns>The turn.</returns>
    /// <exception cref="JsonException"><paramref name="json"/> is not such an object; the message names the place.</exception>
    /// <exception cref="NotSupportedException">The content holds something other than text, such as an image.</exception>
    public static ChatTurn FromJson(JsonElement json) => ChatTurnReader.Read(new JsonField(json, "message"));
}
