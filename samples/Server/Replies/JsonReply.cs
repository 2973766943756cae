using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;

namespace KimiServer.Replies;

/// <summary>Writes JSON as an answer.</summary>
internal static class JsonReply
{
    // Clients read JSON as JSON and never as HTML, so that only what JSON itself asks for is escaped.
    private static readonly JsonSerializerOptions Plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static byte[] Bytes(JsonObject json) => JsonSerializer.SerializeToUtf8Bytes(json, Plain);

    public static async Task WriteAsync(HttpResponse response, JsonObject json, CancellationToken cancellationToken)
    {
        byte[] body = Bytes(json);
        response.ContentType = "application/json";
        response.ContentLength = body.Length;
        await response.Body.WriteAsync(body, cancellationToken);
    }
}
