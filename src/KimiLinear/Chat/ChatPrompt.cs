using System.Text.Json;
using KimiLinear.ToolCalls;

namespace KimiLinear.Chat;

/// <summary>All that a prompt is rendered from.</summary>
/// <param name="Turns">The conversation, oldest turn first.</param>
/// <param name="Tools">The tools to declare; empty for none.</param>
/// <param name="AddGenerationPrompt">Whether the prompt ends with the header of the reply that the model is to write.</param>
public sealed record ChatPrompt(
    IReadOnlyList<ChatTurn> Turns,
    IReadOnlyList<ToolDeclaration> Tools,
    bool AddGenerationPrompt = true)
{
    /// <summary>Reads a request in the form of the OpenAI API.</summary>
    /// <param name="json">
    /// An object with <c>messages</c> and perhaps <c>tools</c> (null: none) and <c>add_generation_prompt</c> (null or missing:
    /// true). Other members are ignored.
    /// </param>
    /// <returns>The prompt.</returns>
    /// <exception cref="JsonException"><paramref name="json"/> is not such an object; the message names the place.</exception>
    /// <exception cref="NotSupportedException">A message holds something other than text, such as an image.</exception>
    public static ChatPrompt FromJson(JsonElement json)
    {
        JsonField request = new(json, "");
        return new ChatPrompt(
            [.. request.Required("messages").Items().Select(ChatTurnReader.Read)],
            request.Optional("tools") is { } tools ? [.. tools.Items().Select(ToolDeclaration.FromJson)] : [],
            request.Optional("add_generation_prompt")?.AsBoolean() ?? true);
    }
}
