using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;

namespace KimiServer.Replies;

/// <summary>An answer in pieces: server-sent events that hold JSON, and a word for the end.</summary>
internal static class ServerSentEvents
{
    public static void Begin(HttpResponse response)
    {
        response.ContentType = "text/event-stream";
        response.Headers.CacheControl = "no-cache";
        // Some proxies would collect the pieces.
        response.Headers["X-Accel-Buffering"] = "no";
    }

    /// <summary>Sends one event at once; waits while the reader is behind.</summary>
    public static Task WriteAsync(HttpResponse response, JsonObject json, CancellationToken cancellationToken) =>
        WriteAsync(response, JsonReply.Bytes(json), cancellationToken);

    /// <summary>Sends the event that ends a stream.</summary>
    public static Task EndAsync(HttpResponse response, CancellationToken cancellationToken) =>
        WriteAsync(response, "[DONE]"u8.ToArray(), cancellationToken);

    private static async Task WriteAsync(HttpResponse response, byte[] data, CancellationToken cancellationToken)
    {
        await response.Body.WriteAsync((byte[])[.. "data: "u8, .. data, .. "\n\n"u8], cancellationToken);
        await response.Body.FlushAsync(cancellationToken);
    }
}
