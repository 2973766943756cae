using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace KimiServer.Endpoints;

/// <summary>GET /: a page to talk with the model. Its three files are inside the program.</summary>
internal static class ChatPage
{
    // The page runs its own script and asks its own server, and nothing else, whatever a model may write into it.
    private const string ContentPolicy =
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
        + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

    public static void Map(IEndpointRouteBuilder routes)
    {
        MapFile(routes, "/", "chat.html", "text/html; charset=utf-8");
        MapFile(routes, "/chat.css", "chat.css", "text/css; charset=utf-8");
        MapFile(routes, "/chat.js", "chat.js", "text/javascript; charset=utf-8");
    }

    private static void MapFile(IEndpointRouteBuilder routes, string path, string name, string contentType)
    {
        byte[] content = Read(name);
        routes.MapGet(path, async context =>
        {
            IHeaderDictionary headers = context.Response.Headers;
            headers.ContentSecurityPolicy = ContentPolicy;
            headers.XContentTypeOptions = "nosniff";
            headers["Referrer-Policy"] = "no-referrer";
            headers.CacheControl = "no-cache";
            context.Response.ContentType = contentType;
            context.Response.ContentLength = content.Length;
            await context.Response.Body.WriteAsync(content, context.RequestAborted);
        });
    }

    private static byte[] Read(string name)
    {
        using Stream stream = typeof(ChatPage).Assembly.GetManifestResourceStream(name)!;
        using MemoryStream copy = new();
        stream.CopyTo(copy);
        return copy.ToArray();
    }
}
