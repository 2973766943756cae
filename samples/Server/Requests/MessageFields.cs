using System.ClientModel.Primitives;
using System.Text.Json;
using KimiLinear.ToolCalls;
using KimiServer.Hosting;
using Microsoft.Extensions.AI;
using OpenAI.Chat;
using ChatMessage = Microsoft.Extensions.AI.ChatMessage;

namespace KimiServer.Requests;

/// <summary>The conversation: read by OpenAI's own types, once its shape is known to be what they take.</summary>
internal static class MessageFields
{
    private const string Name = "messages";
    private const string Assistant = "assistant";
    private const string Tool = "tool";

    private static readonly string[] Roles = ["system", "developer", "user", Assistant, Tool];

    public static IReadOnlyList<ChatMessage> Read(RequestFields fields)
    {
        JsonElement[] messages = fields.Array(Name);
        return messages.Length > 0
            ? [.. messages.SelectMany(ReadMessage)]
            : throw ApiException.Invalid($"'{Name}' is empty or missing. Send at least one message.", Name);
    }

    private static IEnumerable<ChatMessage> ReadMessage(JsonElement json, int index)
    {
        string where = $"{Name}[{index}]";
        Check(json, where);
        try
        {
            var message = ModelReaderWriter.Read<OpenAI.Chat.ChatMessage>(BinaryData.FromString(json.GetRawText()))!;
            ChatMessage[] read = [.. new[] { message }.AsChatMessages()];
            foreach (FunctionCallContent call in read.SelectMany(one => one.Contents).OfType<FunctionCallContent>())
            {
                // Arguments that do not parse go back to the model as it wrote them.
                if (call is { Arguments: null, RawRepresentation: ChatToolCall raw })
                {
                    call.RawRepresentation = new ToolCall(call.CallId, call.Name, raw.FunctionArguments.ToString());
                }
            }

            return read;
        }
        catch (Exception exception)
            when (exception is InvalidOperationException or ArgumentException or FormatException or JsonException)
        {
            throw ApiException.Invalid($"'{where}' is not a message as OpenAI's interface has it: {FirstLine(exception)}", where);
        }
    }

    // What the types would take for an empty message, or for a user's.
    private static void Check(JsonElement json, string where)
    {
        if (json.ValueKind != JsonValueKind.Object)
        {
            throw ApiException.Invalid($"'{where}' must be an object, but is {RequestFields.NameOf(json)}.", where);
        }

        RequestFields message = new(json, $"{where}.");
        string? role = message.Text("role");
        if (!Roles.Contains(role))
        {
            throw ApiException.Invalid($"'{where}.role' must be one of {string.Join(", ", Roles)}, but is '{role}'.", where);
        }

        if (role == Tool && message.Text("tool_call_id") is null)
        {
            throw ApiException.Invalid($"'{where}' is a tool's result without 'tool_call_id'.", where);
        }

        switch (message.Find("content"))
        {
            case null when role == Assistant:
            case { ValueKind: JsonValueKind.String or JsonValueKind.Array }:
                return;
            case null:
                throw ApiException.Invalid($"'{where}' has no 'content'.", where);
            case { } other:
                throw ApiException.Invalid(
                    $"'{where}.content' must be a string or an array of parts, but is {RequestFields.NameOf(other)}.", where);
        }
    }

    private static string FirstLine(Exception exception) => exception.Message.Split('\n')[0];
}
