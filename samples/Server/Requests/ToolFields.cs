using System.Text.Json;
using KimiServer.Hosting;
using Microsoft.Extensions.AI;

namespace KimiServer.Requests;

/// <summary>The functions that the model may call, and whether it must.</summary>
internal static class ToolFields
{
    private static readonly JsonElement NoParameters = JsonElement.Parse("""{"type":"object","properties":{}}""");

    public static void Read(RequestFields fields, ChatOptions options)
    {
        AITool[] tools = [.. fields.Array("tools").Select(ReadTool)];
        options.Tools = tools.Length > 0 ? tools : null;
        options.ToolMode = ReadChoice(fields, tools);
        // Meaningless without tools, and some clients send it all the same.
        options.AllowMultipleToolCalls = tools.Length > 0 ? fields.Flag("parallel_tool_calls") : null;
    }

    private static AITool ReadTool(JsonElement tool, int index)
    {
        string where = $"tools[{index}]";
        if (tool.ValueKind != JsonValueKind.Object)
        {
            throw ApiException.Invalid($"'{where}' must be an object, but is {RequestFields.NameOf(tool)}.", where);
        }

        RequestFields fields = new(tool, $"{where}.");
        if (fields.Text("type") is not (null or "function"))
        {
            throw ApiException.Invalid($"'{where}.type' must be 'function', but is '{fields.Text("type")}'.", where);
        }

        RequestFields function = fields.Object("function") ?? throw ApiException.Invalid($"'{where}' has no 'function'.", where);
        if (function.Text("name") is not { Length: > 0 } name)
        {
            throw ApiException.Invalid($"'{where}.function' has no 'name'.", where);
        }

        if (function.Find("parameters") is { ValueKind: not JsonValueKind.Object } parameters)
        {
            throw ApiException.Invalid(
                $"'{where}.function.parameters' must be a JSON schema, but is {RequestFields.NameOf(parameters)}.", where);
        }

        return new DeclaredFunction(
            name, function.Text("description") ?? "", function.Find("parameters") ?? NoParameters, function.Flag("strict") ?? false);
    }

    private static ChatToolMode? ReadChoice(RequestFields fields, AITool[] tools)
    {
        const string Name = "tool_choice";
        switch (fields.Find(Name))
        {
            case null:
                return null;
            case { ValueKind: JsonValueKind.String } word:
                return word.GetString() switch
                {
                    "none" => ChatToolMode.None,
                    "auto" => ChatToolMode.Auto,
                    "required" when tools.Length == 0 => throw ApiException.Invalid(
                        $"'{Name}' is 'required', but there are no tools.", Name),
                    "required" => ChatToolMode.RequireAny,
                    var other => throw ApiException.Invalid(
                        $"'{Name}' must be 'none', 'auto', 'required' or a function, but is '{other}'.", Name),
                };
        }

        RequestFields choice = fields.Object(Name)!;
        if (choice.Text("type") != "function" || choice.Object("function")?.Text("name") is not { Length: > 0 } name)
        {
            throw ApiException.Invalid(
                $$$"""'{{{Name}}}' as an object must be {"type":"function","function":{"name":"…"}}.""", Name);
        }

        return tools.Any(tool => tool.Name == name)
            ? ChatToolMode.RequireSpecific(name)
            : throw ApiException.Invalid($"'{Name}' names the function '{name}', which is not among the tools.", Name);
    }
}
