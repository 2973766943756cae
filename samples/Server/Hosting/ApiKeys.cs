using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;

namespace KimiServer.Hosting;

/// <summary>Lets in only who shows one of the keys.</summary>
internal sealed class ApiKeys(IReadOnlyList<string> keys)
{
    private const string Scheme = "Bearer ";

    // Digests have one length, so that comparing them takes the same time whatever a caller sends.
    private readonly byte[][] _digests = [.. keys.Select(Digest)];

    public void Require(HttpRequest request)
    {
        if (_digests.Length == 0)
        {
            return;
        }

        string header = request.Headers.Authorization.ToString();
        string given = header.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase) ? header[Scheme.Length..].Trim() : "";
        byte[] digest = Digest(given);
        bool isKnown = false;
        foreach (byte[] known in _digests)
        {
            isKnown |= CryptographicOperations.FixedTimeEquals(known, digest);
        }

        if (!isKnown)
        {
            request.HttpContext.Response.Headers.WWWAuthenticate = "Bearer";
            throw new ApiException(
                StatusCodes.Status401Unauthorized,
                "invalid_request_error",
                given.Length == 0
                    ? "The request carries no API key. Send it as 'Authorization: Bearer KEY'."
                    : "The API key is not one of this server's.",
                null,
                "invalid_api_key");
        }
    }

    private static byte[] Digest(string key) => SHA256.HashData(Encoding.UTF8.GetBytes(key));
}
