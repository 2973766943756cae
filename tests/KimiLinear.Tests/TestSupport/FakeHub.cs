using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace KimiLinear.Tests.TestSupport;

/// <summary>A hub on this machine alone, with one model in it; it can be told to misbehave.</summary>
internal sealed class FakeHub : IDisposable
{
    public const string Repository = "org/tiny";

    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _closing = new();
    private readonly ConcurrentQueue<FakeRequest> _requests = [];

    public FakeHub()
    {
        _listener.Start();
        _ = AcceptAsync();
    }

    public string Endpoint => $"http://127.0.0.1:{Port}";

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    public string Commit { get; set; } = "0123456789abcdef0123456789abcdef01234567";

    /// <summary>The model's files by their paths.</summary>
    public Dictionary<string, byte[]> Files { get; init; } = [];

    /// <summary>Gives another answer than the usual one; <see langword="null"/> for that.</summary>
    public Func<FakeRequest, FakeReply?>? Intercept { get; set; }

    /// <summary>Everything asked so far.</summary>
    public IReadOnlyList<FakeRequest> Requests => [.. _requests];

    /// <summary>What was asked for one file, in order.</summary>
    public FakeRequest[] RequestsFor(string file) => [.. _requests.Where(request => request.IsFor(file))];

    /// <summary>How the hub counts a file: large ones by sha256, others as git names a blob.</summary>
    public static string HashOf(string path, byte[] content) => IsLarge(path)
        ? Convert.ToHexStringLower(SHA256.HashData(content))
        : Convert.ToHexStringLower(CryptographicOperations.HashData(
            HashAlgorithmName.SHA1, [.. Encoding.ASCII.GetBytes($"blob {content.Length}\0"), .. content]));

    /// <summary>The answer of a hub in good order.</summary>
    public FakeReply Usual(FakeRequest request)
    {
        if (request.Path.StartsWith($"/api/models/{Repository}/revision/", StringComparison.Ordinal))
        {
            return new FakeReply(200, Listing());
        }

        string prefix = $"/{Repository}/resolve/{Commit}/";
        if (!request.Path.StartsWith(prefix, StringComparison.Ordinal)
            || !Files.TryGetValue(request.Path[prefix.Length..], out byte[]? content))
        {
            return new FakeReply(404, []);
        }

        return request.Start == 0
            ? new FakeReply(200, content)
            : new FakeReply(206, content[request.Start..])
            {
                Headers = [$"Content-Range: bytes {request.Start}-{content.Length - 1}/{content.Length}"],
            };
    }

    public void Dispose()
    {
        _closing.Cancel();
        _listener.Stop();
    }

    private static bool IsLarge(string path) =>
        path.EndsWith(".safetensors", StringComparison.Ordinal) || path.EndsWith(".gguf", StringComparison.Ordinal);

    private byte[] Listing() => JsonSerializer.SerializeToUtf8Bytes(new
    {
        id = Repository,
        sha = Commit,
        siblings = Files.Select(file => IsLarge(file.Key)
            ? (object)new
            {
                rfilename = file.Key,
                size = file.Value.Length,
                blobId = HashOf("pointer", Encoding.ASCII.GetBytes(file.Key)),
                lfs = new { sha256 = HashOf(file.Key, file.Value), size = file.Value.Length, pointerSize = 134 },
            }
            : new { rfilename = file.Key, size = file.Value.Length, blobId = HashOf(file.Key, file.Value) }),
    });

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                _ = ServeAsync(await _listener.AcceptTcpClientAsync(_closing.Token));
            }
        }
        catch (Exception exception) when (exception is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    private async Task ServeAsync(TcpClient connection)
    {
        using (connection)
        {
            try
            {
                NetworkStream stream = connection.GetStream();
                using StreamReader reader = new(stream, Encoding.ASCII, leaveOpen: true);
                var request = await FakeRequest.ReadAsync(reader, _closing.Token);
                if (request is null)
                {
                    return;
                }

                _requests.Enqueue(request);
                FakeReply reply = Intercept?.Invoke(request) ?? Usual(request);
                await reply.WriteAsync(stream, _closing.Token);
            }
            catch (Exception exception) when (
                exception is IOException or OperationCanceledException or SocketException or ObjectDisposedException)
            {
                // The other side left, or the test is over.
            }
        }
    }
}

/// <summary>What was asked.</summary>
internal sealed record FakeRequest(string Path, string Query, IReadOnlyDictionary<string, string> Headers)
{
    /// <summary>The byte from which the content is wanted.</summary>
    public int Start => Headers.TryGetValue("Range", out string? range) ? int.Parse(range["bytes=".Length..].TrimEnd('-')) : 0;

    public string? Authorization => Headers.GetValueOrDefault("Authorization");

    public bool IsListing => Path.StartsWith("/api/", StringComparison.Ordinal);

    public bool IsFor(string file) => !IsListing && Path.EndsWith($"/{file}", StringComparison.Ordinal);

    public static async Task<FakeRequest?> ReadAsync(StreamReader reader, CancellationToken cancellationToken)
    {
        if ((await reader.ReadLineAsync(cancellationToken))?.Split(' ') is not ["GET", string target, _])
        {
            return null;
        }

        Dictionary<string, string> headers = new(StringComparer.OrdinalIgnoreCase);
        while (await reader.ReadLineAsync(cancellationToken) is { Length: > 0 } line)
        {
            int colon = line.IndexOf(':', StringComparison.Ordinal);
            headers[line[..colon]] = line[(colon + 1)..].Trim();
        }

        string[] parts = target.Split('?', 2);
        return new FakeRequest(parts[0], parts.ElementAtOrDefault(1) ?? "", headers);
    }
}

/// <summary>What is answered.</summary>
internal sealed record FakeReply(int Status, byte[] Body)
{
    public string[] Headers { get; init; } = [];

    /// <summary>How many bytes of the body are sent before the connection ends; all of them by default.</summary>
    public int? CutAfter { get; init; }

    /// <summary>What is waited for before anything is sent.</summary>
    public Task Before { get; init; } = Task.CompletedTask;

    /// <summary>What the connection waits for behind the bytes that are sent.</summary>
    public Task Hold { get; init; } = Task.CompletedTask;

    /// <summary>Whether the length of the body is told.</summary>
    public bool TellsLength { get; init; } = true;

    public async Task WriteAsync(Stream stream, CancellationToken cancellationToken)
    {
        await Before.WaitAsync(cancellationToken);
        string length = TellsLength ? $"Content-Length: {Body.Length}\r\n" : "";
        string head = $"HTTP/1.1 {Status} Answer\r\n{length}Connection: close\r\n"
            + string.Concat(Headers.Select(header => $"{header}\r\n")) + "\r\n";
        await stream.WriteAsync(Encoding.ASCII.GetBytes(head), cancellationToken);
        await stream.WriteAsync(Body.AsMemory(0, CutAfter ?? Body.Length), cancellationToken);
        await stream.FlushAsync(cancellationToken);
        await Hold.WaitAsync(cancellationToken);
    }
}
