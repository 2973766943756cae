using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;

namespace KimiLinear.Checkpoints;

/// <summary>Asks the hub: which files a model has, and for their content.</summary>
internal sealed class HubClient(HubSettings settings, ModelHubOptions options)
{
    private const int MaxRedirects = 10;

    // A listing has some hundred bytes for each file.
    private const int MaxListingBytes = 64 << 20;

    // One for all, as the framework wants it. It follows no redirect: which host gets the token is decided here.
    private static readonly HttpClient Http = new(new SocketsHttpHandler
    {
        AllowAutoRedirect = false,
        UseCookies = false,
        ConnectTimeout = TimeSpan.FromSeconds(30),
        PooledConnectionLifetime = TimeSpan.FromMinutes(5),
    })
    {
        Timeout = Timeout.InfiniteTimeSpan,
    };

    private readonly Lazy<string> _token = new(settings.Token);

    /// <summary>Whether two addresses are of one host, so that what may be told to one may be told to the other.</summary>
    public static bool IsSameHost(Uri one, Uri other) =>
        Uri.Compare(
            one, other, UriComponents.SchemeAndServer, UriFormat.SafeUnescaped, StringComparison.OrdinalIgnoreCase) == 0;

    /// <summary>Asks which commit a revision is and which files it has; again if that may help.</summary>
    /// <exception cref="ModelHubException">The hub refuses, or cannot be reached.</exception>
    public Task<HubListing> ListAsync(HubModelName name, CancellationToken cancellationToken)
    {
        Uri uri = new(
            $"{settings.Endpoint}/api/models/{name.Repository}/revision/{Uri.EscapeDataString(name.Revision)}?blobs=true");
        return new HubRetry(options).RunAsync(
            async () =>
            {
                using HttpResponseMessage response =
                    await SendAsync(uri, name, offset: 0, cancellationToken).ConfigureAwait(false);
                byte[] content = await ReadAllAsync(response, uri, name, cancellationToken).ConfigureAwait(false);
                try
                {
                    return HubListing.Parse(content);
                }
                catch (JsonException exception)
                {
                    throw new ModelHubException(
                        $"{settings.Endpoint} did not answer like a hub when asked for '{name}': {exception.Message} "
                        + "Check HF_ENDPOINT, and whether the network asks for a login.",
                        exception);
                }
            },
            cancellationToken);
    }

    /// <summary>Asks once for the content of a file, from a byte of it on.</summary>
    /// <returns>The answer, whose content has yet to be read; it may begin at the first byte all the same.</returns>
    /// <exception cref="ModelHubException">A server refuses, or cannot be reached.</exception>
    public Task<HttpResponseMessage> OpenAsync(
        HubModelName name, string commit, string path, long offset, CancellationToken cancellationToken)
    {
        string escaped = string.Join('/', path.Split('/').Select(Uri.EscapeDataString));
        return SendAsync(
            new Uri($"{settings.Endpoint}/{name.Repository}/resolve/{commit}/{escaped}"), name, offset, cancellationToken);
    }

    /// <summary>Reads the next bytes of an answer.</summary>
    /// <returns>How many there are; 0 at the end.</returns>
    /// <exception cref="ModelHubException">The connection was lost, or nothing comes.</exception>
    public async Task<int> ReadAsync(
        Stream content, Memory<byte> buffer, Uri uri, HubModelName name, CancellationToken cancellationToken)
    {
        using CancellationTokenSource stall = Stall(cancellationToken);
        try
        {
            return await content.ReadAsync(buffer, stall.Token).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is IOException or HttpRequestException)
        {
            throw HubFaults.OfNetwork(uri, name, exception);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw HubFaults.OfStall(uri, name, options.StallTimeout);
        }
    }

    private async Task<HttpResponseMessage> SendAsync(
        Uri uri, HubModelName name, long offset, CancellationToken cancellationToken)
    {
        for (int i = 0; i <= MaxRedirects; i++)
        {
            HttpResponseMessage response = await SendOnceAsync(uri, name, offset, cancellationToken).ConfigureAwait(false);
            if (response.IsSuccessStatusCode)
            {
                return response;
            }

            using (response)
            {
                if (response.StatusCode is < HttpStatusCode.MovedPermanently or >= HttpStatusCode.BadRequest
                    || response.Headers.Location is not { } location)
                {
                    throw HubFaults.Of(response, uri, name, settings, _token.Value.Length > 0);
                }

                uri = Follow(uri, new Uri(uri, location), name);
            }
        }

        throw new ModelHubException($"{settings.Endpoint} sends from one address to the next when asked for '{name}'. Check HF_ENDPOINT.");
    }

    private async Task<HttpResponseMessage> SendOnceAsync(
        Uri uri, HubModelName name, long offset, CancellationToken cancellationToken)
    {
        using HttpRequestMessage request = new(HttpMethod.Get, uri);
        request.Headers.UserAgent.Add(new ProductInfoHeaderValue("KimiLinear", null));
        request.Headers.AcceptEncoding.Add(new StringWithQualityHeaderValue("identity"));
        request.Headers.Range = offset > 0 ? new RangeHeaderValue(offset, null) : null;
        if (_token.Value.Length > 0 && IsSameHost(uri, settings.Host))
        {
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", _token.Value);
        }

        using CancellationTokenSource stall = Stall(cancellationToken);
        try
        {
            return await Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, stall.Token).ConfigureAwait(false);
        }
        catch (HttpRequestException exception)
        {
            throw HubFaults.OfNetwork(uri, name, exception);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw HubFaults.OfStall(uri, name, options.StallTimeout);
        }
    }

    private async Task<byte[]> ReadAllAsync(
        HttpResponseMessage response, Uri uri, HubModelName name, CancellationToken cancellationToken)
    {
        using MemoryStream all = new();
        Stream content = await response.Content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false);
        byte[] buffer = new byte[1 << 16];
        int count;
        while ((count = await ReadAsync(content, buffer, uri, name, cancellationToken).ConfigureAwait(false)) > 0
            && all.Length <= MaxListingBytes)
        {
            all.Write(buffer, 0, count);
        }

        return all.ToArray();
    }

    private static Uri Follow(Uri from, Uri to, HubModelName name) =>
        to.Scheme is "https" || (to.Scheme is "http" && from.Scheme is "http")
            ? to
            : throw new ModelHubException(
                $"'{name}' was not fetched, because {from.GetLeftPart(UriPartial.Authority)} sends to the address '{to}', which "
                + "is not safe.");

    private CancellationTokenSource Stall(CancellationToken cancellationToken)
    {
        var source = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        source.CancelAfter(options.StallTimeout);
        return source;
    }
}
