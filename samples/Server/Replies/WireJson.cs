using System.ClientModel.Primitives;
using System.Text.Json.Nodes;

namespace KimiServer.Replies;

/// <summary>Replies in the form OpenAI's interface sends, of the types that OpenAI's client reads them into.</summary>
/// <remarks>
/// Those types are made for reading. Written, they hold empty lists where there are none, and lack what is null.
/// </remarks>
internal static class WireJson
{
    public static JsonObject Of<T>(T reply)
    {
        JsonObject json = JsonNode.Parse(ModelReaderWriter.Write(reply)!)!.AsObject();
        foreach (JsonObject choice in json["choices"]!.AsArray().OfType<JsonObject>())
        {
            choice["logprobs"] = null;
            choice.TryAdd("finish_reason", null);
            if (choice["message"] is JsonObject message)
            {
                message.TryAdd("content", null);
                RemoveEmptyLists(message);
            }

            if (choice["delta"] is JsonObject delta)
            {
                RemoveEmptyLists(delta);
            }
        }

        return json;
    }

    private static void RemoveEmptyLists(JsonObject json)
    {
        foreach (string name in (string[])["tool_calls", "annotations"])
        {
            if (json[name] is JsonArray { Count: 0 })
            {
                json.Remove(name);
            }
        }
    }
}
