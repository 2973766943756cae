using KimiLinear.Extensions.AI;
using KimiServer.Hosting;
using Microsoft.Extensions.AI;

namespace KimiServer.Requests;

/// <summary>What the reply must look like: text, JSON, or JSON that fits a schema.</summary>
internal static class ResponseFormatField
{
    private const string Name = "response_format";

    /// <summary>Reads the format, and whether its schema is more than a wish.</summary>
    public static void Read(RequestFields fields, ChatOptions options)
    {
        options.ResponseFormat = Read(fields);
        (options.AdditionalProperties ??= [])[KimiLinearChatClient.StrictProperty] =
            fields.Object(Name)?.Object("json_schema")?.Flag("strict") ?? false;
    }

    private static ChatResponseFormat? Read(RequestFields fields)
    {
        if (fields.Object(Name) is not { } format)
        {
            return null;
        }

        switch (format.Text("type"))
        {
            case "text":
                return ChatResponseFormat.Text;
            case "json_object":
                return ChatResponseFormat.Json;
            case "json_schema":
                RequestFields schema = format.Object("json_schema")
                    ?? throw ApiException.Invalid($"'{Name}' has no 'json_schema'.", Name);
                return ChatResponseFormat.ForJsonSchema(
                    schema.Find("schema") ?? throw ApiException.Invalid($"'{Name}.json_schema' has no 'schema'.", Name),
                    schema.Text("name"),
                    schema.Text("description"));
            case var other:
                throw ApiException.Invalid(
                    $"'{Name}.type' must be 'text', 'json_object' or 'json_schema', but is '{other}'.", Name);
        }
    }
}
