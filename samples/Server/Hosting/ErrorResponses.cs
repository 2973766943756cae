using System.Globalization;
using System.Text.Json.Nodes;
using KimiLinear.Scheduling;
using KimiServer.Replies;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace KimiServer.Hosting;

/// <summary>Turns whatever goes wrong into an error as OpenAI's interface writes it.</summary>
internal sealed partial class ErrorResponses(ILogger<ErrorResponses> logger)
{
    /// <summary>Runs a request; what it throws becomes its answer, or the last event of an answer that has begun.</summary>
    public async Task HandleAsync(HttpContext context, RequestDelegate next)
    {
        try
        {
            await next(context);
            if (context.Response is { HasStarted: false, StatusCode: >= 400, ContentLength: null, ContentType: null })
            {
                await WriteAsync(context, OfStatus(context));
            }
        }
        catch (Exception) when (context.RequestAborted.IsCancellationRequested)
        {
            // Nobody is there to be told.
        }
        catch (Exception exception)
        {
            ApiException error = Describe(exception);
            if (error.Status == StatusCodes.Status500InternalServerError)
            {
                RequestFailed(logger, exception, context.Request.Path);
            }

            await (context.Response.HasStarted
                ? ServerSentEvents.WriteAsync(context.Response, Body(error), context.RequestAborted)
                : WriteAsync(context, error));
        }
    }

    private static ApiException Describe(Exception exception) => exception switch
    {
        ApiException error => error,
        EngineOverloadedException overloaded => new ApiException(
            StatusCodes.Status429TooManyRequests, "rate_limit_error", overloaded.Message, null, "rate_limit_exceeded")
        {
            RetryAfter = overloaded.RetryAfter,
        },
        BadHttpRequestException bad => new ApiException(
            bad.StatusCode,
            "invalid_request_error",
            bad.Message,
            null,
            bad.StatusCode == StatusCodes.Status413PayloadTooLarge ? "request_too_large" : null),
        ObjectDisposedException or OperationCanceledException => ApiException.Unavailable(
            "The server is shutting down.", "shutting_down"),
        _ => new ApiException(
            StatusCodes.Status500InternalServerError,
            "server_error",
            "The request failed; the server's log says why.",
            null,
            "internal_error"),
    };

    // What routing refuses, no handler saw.
    private static ApiException OfStatus(HttpContext context)
    {
        string message = context.Response.StatusCode switch
        {
            StatusCodes.Status404NotFound => $"There is nothing at {context.Request.Path}. The interface is below /v1.",
            StatusCodes.Status405MethodNotAllowed =>
                $"{context.Request.Path} does not take {context.Request.Method}, but {context.Response.Headers.Allow}.",
            _ => $"The request was refused with status {context.Response.StatusCode}.",
        };
        return new ApiException(context.Response.StatusCode, "invalid_request_error", message, null, null);
    }

    private static Task WriteAsync(HttpContext context, ApiException error)
    {
        context.Response.StatusCode = error.Status;
        if (error.RetryAfter is { } delay)
        {
            context.Response.Headers.RetryAfter = Math.Ceiling(delay.TotalSeconds).ToString(CultureInfo.InvariantCulture);
        }

        return JsonReply.WriteAsync(context.Response, Body(error), context.RequestAborted);
    }

    private static JsonObject Body(ApiException error) => new()
    {
        ["error"] = new JsonObject
        {
            ["message"] = error.Message,
            ["type"] = error.Type,
            ["param"] = error.Parameter,
            ["code"] = error.Code,
        },
    };

    [LoggerMessage(1, LogLevel.Error, "The request to {Path} failed")]
    private static partial void RequestFailed(ILogger logger, Exception exception, string path);
}
