using System.Globalization;
using System.Net;

namespace KimiLinear.Checkpoints;

/// <summary>What goes wrong with the hub, in words that say what to do.</summary>
internal static class HubFaults
{
    private const string ErrorCodeHeader = "X-Error-Code";
    private const string GatedCode = "GatedRepo";
    private const string RevisionCode = "RevisionNotFound";

    /// <summary>Makes an exception of a refusal.</summary>
    /// <param name="response">The answer.</param>
    /// <param name="uri">Who gave it.</param>
    /// <param name="name">The model asked for.</param>
    /// <param name="settings">The hub's address.</param>
    /// <param name="hasToken">Whether a token was sent along.</param>
    public static ModelHubException Of(
        HttpResponseMessage response, Uri uri, HubModelName name, HubSettings settings, bool hasToken)
    {
        HttpStatusCode status = response.StatusCode;
        bool isHub = HubClient.IsSameHost(uri, settings.Host);
        // Where the hub keeps large files, a refusal means that the address has expired; the hub gives a new one.
        bool isTransient = !isHub
            || status is HttpStatusCode.TooManyRequests or HttpStatusCode.RequestTimeout
                or HttpStatusCode.RequestedRangeNotSatisfiable
            || (int)status >= 500;
        return new ModelHubException(isHub ? OfHub(response, name, settings, hasToken) : OfStorage(response, uri, name))
        {
            StatusCode = status,
            IsTransient = isTransient,
            RetryAfter = RetryAfter(response),
        };
    }

    /// <summary>Makes an exception of a connection that could not be made or was lost.</summary>
    public static ModelHubException OfNetwork(Uri uri, HubModelName name, Exception exception) => new(
        $"'{name}' could not be fetched, because the connection to {uri.GetLeftPart(UriPartial.Authority)} failed: "
        + $"{Innermost(exception)} Check the network. What was fetched is kept, and the same call goes on from there.",
        exception)
    {
        // A certificate that is not trusted will not be trusted in a second either.
        IsTransient = exception is not HttpRequestException { HttpRequestError: HttpRequestError.SecureConnectionError },
    };

    /// <summary>Makes an exception of a connection on which nothing comes.</summary>
    public static ModelHubException OfStall(Uri uri, HubModelName name, TimeSpan timeout) => new(
        $"'{name}' could not be fetched, because {uri.GetLeftPart(UriPartial.Authority)} sent nothing for "
        + $"{timeout.TotalSeconds.ToString("0.##", CultureInfo.InvariantCulture)} seconds. Check the network. "
        + "What was fetched is kept, and the same call goes on from there.")
    {
        IsTransient = true,
    };

    private static string OfHub(HttpResponseMessage response, HubModelName name, HubSettings settings, bool hasToken)
    {
        string page = $"{settings.Endpoint}/{name.Repository}";
        string? code = response.Headers.TryGetValues(ErrorCodeHeader, out IEnumerable<string>? values)
            ? values.FirstOrDefault()
            : null;
        return (response.StatusCode, code) switch
        {
            (HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden, GatedCode) => hasToken
                ? $"'{name}' is open only to those whom its authors let in, and the owner of the access token is not among them. "
                    + $"Ask for access at {page}."
                : $"'{name}' is open only to those whom its authors let in. Ask for access at {page}, then set HF_TOKEN.",
            (HttpStatusCode.Unauthorized, _) => hasToken
                ? $"{settings.Endpoint} does not accept the access token, or '{name}' does not exist. "
                    + "Check HF_TOKEN and the spelling of the name."
                : $"There is no model '{name}' at {settings.Endpoint}, or it is private.{Hint(name)} "
                    + "Check the spelling; for a private model set HF_TOKEN.",
            (HttpStatusCode.Forbidden, _) =>
                $"{settings.Endpoint} refuses access to '{name}'. "
                + (hasToken ? "The access token must allow reading it." : "Set HF_TOKEN to an access token that allows reading it."),
            (HttpStatusCode.NotFound, RevisionCode) =>
                $"The model '{name.Repository}' has no branch, tag or commit '{name.Revision}'. {page} lists them.",
            (HttpStatusCode.NotFound, _) =>
                $"There is no model '{name}' at {settings.Endpoint}, or it is private.{Hint(name)} "
                + $"Check the spelling{(hasToken ? "" : "; for a private model set HF_TOKEN")}.",
            (HttpStatusCode.TooManyRequests, _) =>
                $"{settings.Endpoint} limits how often it may be asked, so that '{name}' could not be fetched. Try again "
                + $"{When(response)}{(hasToken ? "" : ", or set HF_TOKEN, which allows more")}.",
            _ => $"{settings.Endpoint} could not give '{name}': it answered {Status(response)}. "
                + ((int)response.StatusCode >= 500 ? "Try again later." : "Check HF_ENDPOINT."),
        };
    }

    private static string OfStorage(HttpResponseMessage response, Uri uri, HubModelName name) =>
        $"{uri.GetLeftPart(UriPartial.Authority)}, where files of '{name}' are kept, answered {Status(response)}. Try again later.";

    private static string Hint(HubModelName name) =>
        Path.Exists(name.ToString()) ? "" : " No folder or file here has that name either.";

    private static string When(HttpResponseMessage response) => RetryAfter(response) is { } wait
        ? $"in {Math.Ceiling(wait.TotalSeconds).ToString(CultureInfo.InvariantCulture)} seconds"
        : "later";

    private static string Status(HttpResponseMessage response) =>
        $"{((int)response.StatusCode).ToString(CultureInfo.InvariantCulture)} {response.ReasonPhrase}".TrimEnd();

    private static TimeSpan? RetryAfter(HttpResponseMessage response) => response.Headers.RetryAfter switch
    {
        { Delta: { } delta } => delta,
        { Date: { } date } => date > DateTimeOffset.UtcNow ? date - DateTimeOffset.UtcNow : TimeSpan.Zero,
        _ => null,
    };

    private static string Innermost(Exception exception)
    {
        string message = exception.GetBaseException().Message.Trim();
        return message.EndsWith('.') ? message : $"{message}.";
    }
}
