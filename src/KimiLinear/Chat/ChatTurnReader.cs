using System.Text.Json;
using KimiLinear.ToolCalls;

namespace KimiLinear.Chat;

/// <summary>Reads messages in the form of the OpenAI API.</summary>
internal static class ChatTurnReader
{
    private static readonly string[] ImageKeys = ["image", "image_url"];

    public static ChatTurn Read(JsonField message)
    {
        JsonField role = message.Required("role");
        string roleName = role.AsString();
        if (roleName.Length == 0)
        {
            throw role.Error("must not be empty");
        }

        return new ChatTurn(roleName, message.Optional("content") is { } content ? ReadContent(content) : null)
        {
            Name = message.Optional("name")?.AsString(),
            ToolCalls = message.Optional("tool_calls") is { } calls ? [.. calls.Items().Select(ReadCall)] : [],
            ToolCallId = message.Optional("tool_call_id")?.AsString(),
        };
    }

    private static string ReadContent(JsonField content) => content.Element.ValueKind switch
    {
        JsonValueKind.String => content.AsString(),
        JsonValueKind.Array => string.Concat(content.Items().Select(ReadPart)),
        _ => throw content.Error($"must be a string, null or an array of parts, but is {JsonField.Describe(content.Element)}"),
    };

    private static string ReadPart(JsonField part)
    {
        string? type = part.Optional("type")?.AsString();
        bool isImage = type == "image" || ImageKeys.Any(part.Has);
        if (isImage || (type is not (null or "text") && part.Optional("text") is null))
        {
            throw new NotSupportedException(
                $"{part.Path} is {(isImage ? "an image" : $"of type '{type}'")}, but the model reads text only. Remove it.");
        }

        return part.Required("text").AsString();
    }

    private static ToolCall ReadCall(JsonField call)
    {
        JsonField function = call.Required("function");
        string name = function.Required("name").AsString();
        string arguments = ReadArguments(function.Required("arguments"));
        return new ToolCall(call.Optional("id")?.AsString() ?? "", name, arguments);
    }

    // The published template writes arguments that are not text as Python's json.dumps does by default.
    private static string ReadArguments(JsonField arguments)
    {
        if (arguments.Element.ValueKind == JsonValueKind.String)
        {
            return arguments.AsString();
        }

        try
        {
            return PythonJson.WriteSpaced(arguments.Element);
        }
        catch (JsonException exception)
        {
            throw arguments.Error("holds a string with half of a surrogate pair, which no text can hold", exception);
        }
    }
}
