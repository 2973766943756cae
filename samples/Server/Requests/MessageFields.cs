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
        RequestFields[] messages = fields.Objects(Name);
        return messages.Length > 0
            ? [.. messages.SelectMany(ReadMessage)]
            : throw ApiException.Invalid($"'{Name}' is empty or missing. Send at least one message.", Name);
    }

    private static IEnumerable<ChatMessage> ReadMessage(RequestFields message)
    {
        string place = message.Place;
        string? role = message.Text("role");
        if (!Roles.Contains(role))
        {
            throw ApiException.Invalid($"'{place}.role' must be one of {string.Join(", ", Roles)}, but is '{role}'.", place);
        }

        string text = ReadContent(message, role!);
        if (role == Tool)
        {
            // OpenAI's types take no result in several parts.
            string id = message.Text("tool_call_id")
                ?? throw ApiException.Invalid($"'{place}' is a tool's result without 'tool_call_id'.", place);
            return [new ChatMessage(ChatRole.Tool, [new FunctionResultContent(id, text)])];
        }

        CheckCalls(message);
        try
        {
            var read = ModelReaderWriter.Read<OpenAI.Chat.ChatMessage>(BinaryData.FromString(message.Json.GetRawText()))!;
            ChatMessage[] converted = [.. new[] { read }.AsChatMessages()];
            foreach (FunctionCallContent call in converted.SelectMany(one => one.Contents).OfType<FunctionCallContent>())
            {
                // Arguments that do not parse go back to the model as it wrote them.
                if (call is { Arguments: null, RawRepresentation: ChatToolCall raw })
                {
                    call.RawRepresentation = new ToolCall(call.CallId, call.Name, raw.FunctionArguments.ToString());
                }
            }

            return converted;
        }
        catch (Exception exception)
            when (exception is InvalidOperationException or ArgumentException or FormatException or JsonException)
        {
            throw ApiException.Invalid($"'{place}' is not a message as OpenAI's interface has it: {FirstLine(exception)}", place);
        }
    }

    // What the types would take for an empty message, or leave out.
    private static string ReadContent(RequestFields message, string role)
    {
        switch (message.Find("content"))
        {
            case null when role == Assistant:
                return "";
            case null:
                throw ApiException.Invalid($"'{message.Place}' has no 'content'.", message.Place);
            case { ValueKind: JsonValueKind.String }:
                return message.Text("content")!;
            case { ValueKind: JsonValueKind.Array }:
                return string.Concat(message.Objects("content").Select(part => ReadPart(part, role)));
            case { } other:
                throw ApiException.Invalid(
                    $"'{message.Place}.content' must be a string or an array of parts, but is {RequestFields.NameOf(other)}.",
                    message.Place);
        }
    }

    private static string ReadPart(RequestFields part, string role)
    {
        switch (part.Text("type"))
        {
            case "text":
                return Require(part, "text");
            case "refusal" when role == Assistant:
                return "";
            case "image_url" or "input_audio" or "file":
                throw ApiException.Invalid(
                    $"'{part.Place}' is of type '{part.Text("type")}', but the model reads text only. "
                    + "Remove it, or describe it in words.",
                    part.Place,
                    "unsupported");
            case var other:
                throw ApiException.Invalid($"'{part.Place}.type' must be 'text', but is '{other}'.", part.Place);
        }
    }

    private static void CheckCalls(RequestFields message)
    {
        foreach (RequestFields call in message.Objects("tool_calls"))
        {
            if (call.Text("type") is not (null or "function"))
            {
                throw ApiException.Invalid(
                    $"'{call.Place}.type' must be 'function', but is '{call.Text("type")}'.", call.Place);
            }

            RequestFields function = call.Object("function")
                ?? throw ApiException.Invalid($"'{call.Place}' has no 'function'.", call.Place);
            Require(call, "id");
            if (Require(function, "name").Length == 0)
            {
                throw ApiException.Invalid($"'{function.Place}' has no 'name'.", function.Place);
            }

            Require(function, "arguments");
        }
    }

    private static string Require(RequestFields fields, string name) => fields.Text(name)
        ?? throw ApiException.Invalid($"'{fields.Place}' has no '{name}'.", fields.Place);

    private static string FirstLine(Exception exception) => exception.Message.Split('\n')[0];
}
