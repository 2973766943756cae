namespace KimiLinear.Checkpoints;

/// <summary>Finds models by name in the cache that programs for the Hugging Face hub share, and downloads what is missing.</summary>
/// <remarks>
/// A name is <c>org/name</c>, <c>org/name@revision</c> with a branch, a tag or a commit, or <c>org/name:file.gguf</c> for one of
/// several GGUF models. Safe to use from many threads; whoever asks for the same model at the same time, in this process or
/// another, shares one download. Large files are checked by sha256, small ones by git's hash. The network is used by
/// <see cref="PullAsync"/>, by <see cref="ResolveAsync"/> for a model that is not in the cache, and by nothing else.
/// </remarks>
/// <param name="options">Where models are fetched from and kept; <see langword="null"/> for what the environment says.</param>
public sealed class ModelHub(ModelHubOptions? options = null)
{
    private readonly ModelHubOptions _options = options ?? new ModelHubOptions();

    /// <summary>Tells whether a text has the form of a model's name; whether there is such a model is another matter.</summary>
    /// <param name="text">The text.</param>
    /// <returns>Whether it can be a name on the hub.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="text"/> is <see langword="null"/>.</exception>
    public static bool IsName(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return HubModelName.TryParse(text, out _);
    }

    /// <summary>Finds a model on this machine, without the network: a folder or a file, else a name that is in the cache.</summary>
    /// <param name="pathOrName">A path, which wins if something is there, or a name.</param>
    /// <returns>The path as it was given, or the folder or GGUF file in the cache.</returns>
    /// <exception cref="ArgumentException"><paramref name="pathOrName"/> is empty.</exception>
    /// <exception cref="ModelHubException">There is no such path, and no model of that name in the cache, or only a part.</exception>
    /// <exception cref="CheckpointFormatException">The index of the model's weights is damaged.</exception>
    public string Find(string pathOrName)
    {
        ArgumentException.ThrowIfNullOrEmpty(pathOrName);
        if (Path.Exists(pathOrName))
        {
            return pathOrName;
        }

        HubModelName name = Parse(pathOrName);
        var settings = HubSettings.Read(_options);
        return FindCached(name, settings) ?? throw NotCached(name, settings);
    }

    /// <summary>Finds a model on this machine, and downloads it if its name is not in the cache.</summary>
    /// <remarks>A model that is in the cache is used as it is; <see cref="PullAsync"/> looks for a newer one.</remarks>
    /// <param name="pathOrName">A path, which wins if something is there, or a name.</param>
    /// <param name="progress">Is told how far a download has come, from several threads but one at a time.</param>
    /// <param name="cancellationToken">Ends a download; what was fetched is kept.</param>
    /// <returns>The path as it was given, or the folder or GGUF file in the cache.</returns>
    /// <exception cref="ArgumentException"><paramref name="pathOrName"/> is empty.</exception>
    /// <exception cref="ModelHubException">It is nowhere, may not be fetched, or could not be.</exception>
    /// <exception cref="IOException">The cache cannot be written, for example because its disk is full.</exception>
    /// <exception cref="UnauthorizedAccessException">The cache may not be written.</exception>
    /// <exception cref="CheckpointFormatException">The index of the model's weights is damaged.</exception>
    public async Task<string> ResolveAsync(
        string pathOrName, IProgress<ModelDownloadProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(pathOrName);
        if (Path.Exists(pathOrName))
        {
            return pathOrName;
        }

        HubModelName name = Parse(pathOrName);
        return FindCached(name, HubSettings.Read(_options))
            ?? await PullAsync(pathOrName, verify: false, progress, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Asks the hub for a model as it is now, and downloads what is missing in the cache.</summary>
    /// <remarks>
    /// Offline it only finds what is there. A download that is cancelled or fails leaves what it has fetched, and the next goes on
    /// from there; the model appears in the cache when all of it is there.
    /// </remarks>
    /// <param name="name">The name.</param>
    /// <param name="verify">Whether to read files that are there through as well, and to fetch damaged ones again.</param>
    /// <param name="progress">Is told how far it has come, from several threads but one at a time.</param>
    /// <param name="cancellationToken">Ends the download.</param>
    /// <returns>The model's folder in the cache, or the GGUF file in it.</returns>
    /// <exception cref="ArgumentException"><paramref name="name"/> is empty.</exception>
    /// <exception cref="ModelHubException">It is no name, or the model could not be fetched.</exception>
    /// <exception cref="IOException">The cache cannot be written, for example because its disk is full.</exception>
    /// <exception cref="UnauthorizedAccessException">The cache may not be written.</exception>
    /// <exception cref="CheckpointFormatException">The index of the model's weights is damaged; verifying fetches it again.</exception>
    public Task<string> PullAsync(
        string name,
        bool verify = false,
        IProgress<ModelDownloadProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        HubModelName parsed = Parse(name);
        var settings = HubSettings.Read(_options);
        return settings.IsOffline
            ? Task.FromResult(FindCached(parsed, settings) ?? throw NotCached(parsed, settings))
            : new ModelDownload(parsed, settings, _options).RunAsync(verify, progress, cancellationToken);
    }

    /// <summary>Reads the files of a model in the cache through and compares them with their hashes; changes nothing.</summary>
    /// <param name="name">The name.</param>
    /// <param name="progress">Is told how far it has come.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <returns>The model's folder in the cache, or the GGUF file in it, all of which is right.</returns>
    /// <exception cref="ArgumentException"><paramref name="name"/> is empty.</exception>
    /// <exception cref="ModelHubException">It is no name, or not in the cache, or files are damaged; they are named.</exception>
    public async Task<string> VerifyAsync(
        string name, IProgress<ModelDownloadProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        HubModelName parsed = Parse(name);
        var settings = HubSettings.Read(_options);
        string path = FindCached(parsed, settings) ?? throw NotCached(parsed, settings);
        await new ModelVerification(parsed, settings, _options).RunAsync(progress, cancellationToken).ConfigureAwait(false);
        return path;
    }

    private static HubModelName Parse(string text) => HubModelName.TryParse(text, out HubModelName? name)
        ? name
        : throw new ModelHubException(
            (Path.Exists(text) ? $"'{text}' is here and needs no hub; it" : $"'{text}' is no folder and no file, and")
            + $" cannot be a model's name on the hub either: those look like {HubModelName.Form}.");

    private string? FindCached(HubModelName name, HubSettings settings)
    {
        CachedRepository repository = new(settings.CacheFolder, name.Repository, _options);
        return repository.CommitOf(name.Revision) is { } commit
            ? CachedSnapshot.Find(repository.SnapshotPath(commit), name.File)
            : null;
    }

    private ModelHubException NotCached(HubModelName name, HubSettings settings)
    {
        bool isBegun = Directory.Exists(new CachedRepository(settings.CacheFolder, name.Repository, _options).Folder);
        string offline = settings.IsOffline ? " The network is not used, because HF_HUB_OFFLINE or an option says so." : "";
        return new ModelHubException(
            $"'{name}' is no folder and no file here, and as a model's name on the hub it is not in the cache "
            + $"'{settings.CacheFolder}'{(isBegun ? ", or only in part" : "")}.{offline} Download it: kimi pull {name}, or ModelHub.PullAsync.");
    }
}
