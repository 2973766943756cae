using System.Text.Json.Nodes;
using KimiServer.Hosting;
using KimiServer.Replies;
using Microsoft.AspNetCore.Http;

namespace KimiServer.Endpoints;

/// <summary>GET /v1/models: the one model, under each of its names.</summary>
internal static class Models
{
    public static Task ListAsync(HttpContext context, ServedModel model) => JsonReply.WriteAsync(
        context.Response,
        new JsonObject
        {
            ["object"] = "list",
            ["data"] = new JsonArray([.. model.Names.Select(name => Describe(model, name))]),
        },
        context.RequestAborted);

    public static Task GetAsync(HttpContext context, ServedModel model)
    {
        string id = (string)context.Request.RouteValues["id"]!;
        model.RequireName(id);
        return JsonReply.WriteAsync(context.Response, Describe(model, id), context.RequestAborted);
    }

    private static JsonObject Describe(ServedModel model, string name) => new()
    {
        ["id"] = name,
        ["object"] = "model",
        ["created"] = model.LoadedAt.ToUnixTimeSeconds(),
        ["owned_by"] = "kimilinear",
        ["max_model_len"] = model.Engine.MaxContextTokens,
    };
}
