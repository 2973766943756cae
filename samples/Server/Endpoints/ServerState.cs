using KimiServer.Hosting;
using KimiServer.Replies;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace KimiServer.Endpoints;

/// <summary>GET /health and GET /metrics: for those who run the server, without a key.</summary>
internal static class ServerState
{
    /// <summary>200 once requests are answered, 503 while the model loads.</summary>
    public static Task Health(HttpContext context)
    {
        context.RequestServices.GetRequiredService<ModelHost>().Require();
        return Task.CompletedTask;
    }

    public static Task Metrics(HttpContext context)
    {
        ServedModel model = context.RequestServices.GetRequiredService<ModelHost>().Require();
        context.Response.ContentType = "text/plain; version=0.0.4; charset=utf-8";
        return context.Response.WriteAsync(
            PrometheusText.Of(model.Engine.GetStatistics(), model.Histograms.All, model.Name), context.RequestAborted);
    }
}
