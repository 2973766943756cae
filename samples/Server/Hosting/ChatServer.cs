using System.Net;
using KimiServer.Endpoints;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace KimiServer.Hosting;

/// <summary>An ASP.NET application that serves one model over OpenAI's interface, and a page to talk with it.</summary>
public static class ChatServer
{
    // Whoever starts the server ends the process soon after asking it to stop.
    private static readonly TimeSpan ShutdownTimeout = TimeSpan.FromSeconds(3);

    /// <summary>Runs a server until it is told to stop.</summary>
    /// <param name="settings">What to run and where.</param>
    /// <param name="cancellationToken">Stops the server: no error.</param>
    /// <returns>A task that completes when the server has stopped; it fails as loading the model did.</returns>
    public static async Task RunAsync(ServerSettings settings, CancellationToken cancellationToken)
    {
        await using WebApplication app = Build(settings);
        await app.StartAsync(cancellationToken);
        await app.WaitForShutdownAsync(cancellationToken);
        if (app.Services.GetRequiredService<ModelHost>().Failure is { } failure)
        {
            throw new InvalidOperationException(failure.Message, failure);
        }
    }

    /// <summary>Builds a server; starting it begins to load the model.</summary>
    /// <param name="settings">What to run and where.</param>
    /// <returns>The application.</returns>
    public static WebApplication Build(ServerSettings settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        // Files of the folder it is started in are none of its settings.
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder(
            new WebApplicationOptions { ContentRootPath = AppContext.BaseDirectory });
        ConfigureLogging(builder.Logging);
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            // Endpoints of the environment would open more than the settings say.
            kestrel.ConfigurationLoader = null;
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = settings.MaxRequestBytes;
            kestrel.Listen(new IPEndPoint(settings.Address, settings.Port));
        });
        builder.Services.Configure<HostOptions>(options => options.ShutdownTimeout = ShutdownTimeout);
        builder.Services.AddSingleton(settings);
        builder.Services.AddSingleton(new ApiKeys(settings.ApiKeys));
        builder.Services.AddSingleton<ErrorResponses>();
        builder.Services.AddSingleton<ModelHost>();
        builder.Services.AddHostedService(services => services.GetRequiredService<ModelHost>());

        WebApplication app = builder.Build();
        app.Use((context, next) => context.RequestServices.GetRequiredService<ErrorResponses>().HandleAsync(context, next));
        app.UseRouting();
        Map(app);
        foreach (string note in settings.Notes)
        {
            app.Logger.LogNote(note);
        }

        return app;
    }

    private static void Map(WebApplication app)
    {
        ChatPage.Map(app);
        app.MapGet("/health", ServerState.Health);
        app.MapGet("/metrics", ServerState.Metrics);
        MapApi(app, "/v1/chat/completions", HttpMethods.Post, ChatCompletions.HandleAsync);
        MapApi(app, "/v1/completions", HttpMethods.Post, Completions.HandleAsync);
        MapApi(app, "/v1/models", HttpMethods.Get, Models.ListAsync);
        // A name may have a slash in it.
        MapApi(app, "/v1/models/{**id}", HttpMethods.Get, Models.GetAsync);
    }

    private static void MapApi(WebApplication app, string path, string method, Func<HttpContext, ServedModel, Task> handle) =>
        app.MapMethods(path, [method], context =>
        {
            context.RequestServices.GetRequiredService<ApiKeys>().Require(context.Request);
            return handle(context, context.RequestServices.GetRequiredService<ModelHost>().Require());
        });

    private static void ConfigureLogging(ILoggingBuilder logging)
    {
        logging.ClearProviders();
        logging.AddSimpleConsole(console => console.SingleLine = true);
        logging.AddFilter("Microsoft.AspNetCore", LogLevel.Warning);
        // Whoever runs the server is told why it cannot start by an exception.
        logging.AddFilter("Microsoft.Extensions.Hosting", LogLevel.Critical);
    }
}
