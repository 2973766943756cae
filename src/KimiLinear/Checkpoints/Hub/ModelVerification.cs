namespace KimiLinear.Checkpoints;

/// <summary>Checks the files of a model that is in the cache, without changing any.</summary>
internal sealed class ModelVerification(HubModelName name, HubSettings settings, ModelHubOptions options)
{
    private readonly CachedRepository _repository = new(settings.CacheFolder, name.Repository, options);

    /// <summary>Reads them through.</summary>
    /// <exception cref="ModelHubException">Some are damaged, or there is no telling.</exception>
    public async Task RunAsync(IProgress<ModelDownloadProgress>? progress, CancellationToken cancellationToken)
    {
        string commit = _repository.CommitOf(name.Revision)!;
        (HubFile File, string Path)[] files = await FindFilesAsync(commit, cancellationToken).ConfigureAwait(false);
        DownloadMeter meter = new(progress, [.. files.Select(item => item.File)], options.ReportInterval);
        List<string> damaged = [];
        foreach ((HubFile file, string path) in files)
        {
            if (!CachedRepository.IsPresent(path)
                || !await BlobCheck.IsWholeAsync(path, file, meter, cancellationToken).ConfigureAwait(false))
            {
                damaged.Add(file.Path);
            }
        }

        if (damaged.Count > 0)
        {
            throw new ModelHubException(
                $"{damaged.Count} of {files.Length} files of '{name}' are damaged: {string.Join(", ", damaged)}. "
                + $"Fetch them again: kimi pull {name} --verify.");
        }
    }

    // The name of the blob that a link leads to is its hash. For a file without a link only the hub knows it.
    private async Task<(HubFile File, string Path)[]> FindFilesAsync(string commit, CancellationToken cancellationToken)
    {
        string snapshot = _repository.SnapshotPath(commit);
        string[] paths = name.File is { } gguf
            ? [.. GgufParts.Names(gguf).Select(part => Path.Combine(snapshot, part))]
            : [.. Directory.EnumerateFiles(snapshot, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal)];
        HubListing? listing = null;
        List<(HubFile, string)> files = [];
        foreach (string path in paths)
        {
            string relative = Path.GetRelativePath(snapshot, path).Replace('\\', '/');
            string? hash = Path.GetFileName(new FileInfo(path).LinkTarget);
            if (!BlobHash.IsHash(hash))
            {
                listing ??= await ListAsync(commit, cancellationToken).ConfigureAwait(false);
                hash = listing.Files.GetValueOrDefault(relative)?.Hash;
            }

            // A file that the hub does not have is somebody's own.
            if (hash is not null)
            {
                files.Add((new HubFile(relative, CachedRepository.LengthOf(path), hash), path));
            }
        }

        return [.. files];
    }

    private Task<HubListing> ListAsync(string commit, CancellationToken cancellationToken) => settings.IsOffline
        ? throw new ModelHubException(
            $"'{name}' cannot be verified offline: the cache holds copies in place of links, and only the hub knows their hashes.")
        : new HubClient(settings, options).ListAsync(name with { Revision = commit }, cancellationToken);
}
