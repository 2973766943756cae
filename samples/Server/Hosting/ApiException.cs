using Microsoft.AspNetCore.Http;

namespace KimiServer.Hosting;

/// <summary>A request is answered with an error, in the words that clients of OpenAI's interface know.</summary>
internal sealed class ApiException(int status, string type, string message, string? parameter, string? code) : Exception(message)
{
    public int Status => status;

    public string Type => type;

    public string? Parameter => parameter;

    public string? Code => code;

    public TimeSpan? RetryAfter { get; init; }

    public static ApiException Invalid(string message, string? parameter = null, string? code = null) =>
        new(StatusCodes.Status400BadRequest, "invalid_request_error", message, parameter, code);

    public static ApiException Unavailable(string message, string code) =>
        new(StatusCodes.Status503ServiceUnavailable, "server_error", message, null, code)
        {
            RetryAfter = TimeSpan.FromSeconds(1),
        };
}
