using Microsoft.Extensions.AI;

namespace KimiServer.Requests;

/// <summary>What a request for a chat completion asks for.</summary>
/// <param name="Model">The model's name, if it gives one.</param>
/// <param name="Messages">The conversation.</param>
/// <param name="Options">How to answer.</param>
/// <param name="Stream">Whether and how the answer comes in pieces.</param>
internal sealed record ChatRequest(string? Model, IReadOnlyList<ChatMessage> Messages, ChatOptions Options, StreamChoice Stream)
{
    public static ChatRequest Read(RequestFields fields)
    {
        Refusals.OfChat.Check(fields);
        ChatOptions options = SamplingFields.Read(fields);
        options.MaxOutputTokens = fields.Count("max_completion_tokens", 1) ?? fields.Count("max_tokens", 1);
        ToolFields.Read(fields, options);
        ResponseFormatField.Read(fields, options);
        return new ChatRequest(fields.Text("model"), MessageFields.Read(fields), options, StreamChoice.Read(fields));
    }
}
