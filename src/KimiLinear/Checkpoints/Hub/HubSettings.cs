namespace KimiLinear.Checkpoints;

/// <summary>What holds for the hub when options and environment are put together.</summary>
/// <param name="CacheFolder">The folder of the cache, in full.</param>
/// <param name="Endpoint">The hub's address, without a slash at the end.</param>
/// <param name="IsOffline">Whether the network is left alone.</param>
/// <param name="Token">Reads the access token; empty for none.</param>
internal sealed record HubSettings(string CacheFolder, string Endpoint, bool IsOffline, Func<string> Token)
{
    private const string DefaultEndpoint = "https://huggingface.co";

    /// <summary>The address of the hub's host: the only one that the token is sent to.</summary>
    public Uri Host { get; } = new(Endpoint);

    /// <summary>Puts options and environment together.</summary>
    /// <exception cref="ModelHubException">The hub's address is none.</exception>
    public static HubSettings Read(ModelHubOptions options)
    {
        string? Variable(string name) => options.Variable(name) is { Length: > 0 } value ? value : null;

        string home = Path.Combine(
            Variable("XDG_CACHE_HOME") is string cache ? Expand(cache) : Expand("~/.cache"), "huggingface");
        home = Variable("HF_HOME") is string given ? Expand(given) : home;
        string folder = options.CacheFolder
            ?? Variable("HF_HUB_CACHE")
            ?? Variable("HUGGINGFACE_HUB_CACHE")
            ?? Path.Combine(home, "hub");
        return new HubSettings(
            Path.GetFullPath(Expand(folder)),
            ReadEndpoint(options.Endpoint?.OriginalString ?? Variable("HF_ENDPOINT") ?? DefaultEndpoint),
            options.Offline || IsTrue(Variable("HF_HUB_OFFLINE")),
            () => ReadToken(options.Token ?? Variable("HF_TOKEN"), Variable("HF_TOKEN_PATH") ?? Path.Combine(home, "token")));
    }

    private static string ReadEndpoint(string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out Uri? uri) && uri.Scheme is "http" or "https"
            // Without a user's name and password, which would show in messages.
            ? uri.GetComponents(UriComponents.SchemeAndServer | UriComponents.Path, UriFormat.UriEscaped).TrimEnd('/')
            : throw new ModelHubException(
                $"The hub's address must be like {DefaultEndpoint}, but is '{text}'. "
                + $"Set {nameof(ModelHubOptions.Endpoint)} or HF_ENDPOINT to such, or neither.");

    private static string ReadToken(string? given, string path)
    {
        path = Expand(path);
        string token = (given ?? (File.Exists(path) ? File.ReadAllText(path) : "")).Trim();
        // The token itself stays out of the message.
        return token.All(character => character is > ' ' and <= '~')
            ? token
            : throw new ModelHubException(
                $"The access token {(given is null ? $"in '{path}'" : "given in HF_TOKEN or by option")} holds characters that no "
                + "token has. Copy it again.");
    }

    private static string Expand(string path) => path == "~" || path.StartsWith("~/", StringComparison.Ordinal)
        ? Path.Join(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), path[1..])
        : path;

    private static bool IsTrue(string? value) => value?.ToUpperInvariant() is "1" or "ON" or "YES" or "TRUE";
}
