using System.Text;
using System.Text.Json;
using KimiLinear.Chat;
using KimiLinear.ToolCalls;
using Microsoft.Extensions.AI;

namespace KimiLinear.Extensions.AI;

/// <summary>Turns the messages of a request into the turns of the model's template.</summary>
internal static class ChatMessageMapping
{
    private const string SystemRole = "system";
    private const string UserRole = "user";
    private const string AssistantRole = "assistant";
    private const string ToolRole = "tool";

    /// <summary>Maps all messages; the instructions and what is said of the reply's form, if any, come first as a system turn.</summary>
    public static List<ChatTurn> ToTurns(IEnumerable<ChatMessage> messages, string? instructions, string? replyForm)
    {
        List<ChatTurn> turns = [];
        string[] parts = [.. new[] { instructions, replyForm }.OfType<string>().Where(part => !string.IsNullOrWhiteSpace(part))];
        if (parts.Length > 0)
        {
            turns.Add(new ChatTurn(SystemRole, string.Join("\n\n", parts)));
        }

        foreach (ChatMessage message in messages)
        {
            ArgumentNullException.ThrowIfNull(message, nameof(messages));
            string role = RoleOf(message) ?? throw new ArgumentException(
                $"The role of a message must be system, developer, user, assistant or tool, but is '{message.Role}'.",
                nameof(messages));
            Append(message, role, turns);
        }

        return turns;
    }

    private static void Append(ChatMessage message, string role, List<ChatTurn> turns)
    {
        StringBuilder builder = new();
        List<ToolCall> calls = [];
        List<ChatTurn> results = [];
        foreach (AIContent content in message.Contents)
        {
            switch (content)
            {
                case TextContent part:
                    builder.Append(part.Text);
                    break;
                case FunctionCallContent call:
                    calls.Add(new ToolCall(call.CallId, call.Name, ArgumentsOf(call)));
                    break;
                case FunctionResultContent result:
                    // The template has one turn for each result, whatever message carried it.
                    results.Add(new ChatTurn(ToolRole, ResultText(result)) { ToolCallId = result.CallId });
                    break;
                case DataContent or UriContent or HostedFileContent:
                    throw new NotSupportedException(
                        $"The model reads text only, but a message of role '{message.Role}' holds {content.GetType().Name}. "
                        + "Remove it, or describe it in words.");
                default:
                    // Reasoning, usage, errors and approvals have no place in the template.
                    break;
            }
        }

        string text = builder.ToString();
        if (results.Count == 0 || text.Length > 0 || calls.Count > 0)
        {
            Add(role, message.AuthorName, text, calls, turns);
        }

        turns.AddRange(results);
    }

    private static void Add(string role, string? author, string text, List<ToolCall> calls, List<ChatTurn> turns)
    {
        if (calls.Count > 0 && turns.Count > 0 && turns[^1].Role == AssistantRole)
        {
            // Streaming callers may store each call as a message of its own; the model writes them in one turn.
            turns[^1] = turns[^1] with { Content = turns[^1].Content + text, ToolCalls = [.. turns[^1].ToolCalls, .. calls] };
            return;
        }

        // The template puts a name in the place of the role; an assistant must stay one, whatever an agent calls itself.
        turns.Add(new ChatTurn(role, text) { Name = role == UserRole ? author : null, ToolCalls = calls });
    }

    private static string? RoleOf(ChatMessage message) => message.Role.Value.ToLowerInvariant() switch
    {
        "developer" => SystemRole,
        string role and (SystemRole or UserRole or AssistantRole or ToolRole) => role,
        _ => null,
    };

    // What could not be parsed goes back to the model as it wrote it.
    private static string ArgumentsOf(FunctionCallContent call) => call.Arguments is null
        ? (call.RawRepresentation as ToolCall)?.Arguments ?? "{}"
        : SpacedJson.Write(call.Arguments.Select(argument => KeyValuePair.Create(argument.Key, JsonOf(argument.Value))));

    // JSON stays what it is: written anew, it would fail where it holds half a character, as a text cut by a tool does.
    private static JsonElement JsonOf(object? value) => value switch
    {
        JsonElement { ValueKind: JsonValueKind.Undefined } => JsonOf(null),
        JsonElement json => json,
        _ => JsonSerializer.SerializeToElement(value, AIJsonUtilities.DefaultOptions.GetTypeInfo(typeof(object))),
    };

    private static string ResultText(FunctionResultContent result)
    {
        switch (result.Result)
        {
            case null:
                return result.Exception is null ? "" : $"Error: {result.Exception.Message}";
            case string text:
                return text;
            case TextContent content:
                return content.Text;
            case IEnumerable<AIContent> contents when contents.All(content => content is TextContent):
                return string.Concat(contents.Cast<TextContent>().Select(content => content.Text));
            default:
                JsonElement json = JsonOf(result.Result);
                return json.ValueKind switch
                {
                    JsonValueKind.String => SpacedJson.TextOf(json) ?? SpacedJson.Write(json),
                    JsonValueKind.Null => "",
                    _ => SpacedJson.Write(json),
                };
        }
    }
}
