namespace KimiLinear.Checkpoints;

/// <summary>Brings one model into the cache.</summary>
internal sealed class ModelDownload(HubModelName name, HubSettings settings, ModelHubOptions options)
{
    // One connection seldom uses a line up; more than a few do not help.
    private const int ParallelFiles = 4;

    private readonly CachedRepository _repository = new(settings.CacheFolder, name.Repository, options);
    private readonly HubClient _client = new(settings, options);

    /// <summary>Fetches what is missing of the revision as it is now.</summary>
    /// <param name="verify">Whether to read what is there through, and to fetch it again where it is damaged.</param>
    /// <param name="progress">Is told how far it has come.</param>
    /// <param name="cancellationToken">Ends the download; a later one goes on from there.</param>
    /// <returns>The snapshot's folder, or the GGUF file in it.</returns>
    public async Task<string> RunAsync(
        bool verify, IProgress<ModelDownloadProgress>? progress, CancellationToken cancellationToken)
    {
        HubListing listing = await _client.ListAsync(name, cancellationToken).ConfigureAwait(false);
        BlobDownload download = new(_client, _repository, name, listing.Commit, options);
        var selection = HubFileSelection.Choose(listing, name);
        if (selection.Index is { } index)
        {
            selection = selection.WithWeights(
                await FetchIndexAsync(download, index, listing, verify, cancellationToken).ConfigureAwait(false), listing, name);
        }

        if (verify)
        {
            await RemoveDamagedAsync(listing, selection.Files, progress, cancellationToken).ConfigureAwait(false);
        }

        // Files of the same content are one blob.
        HubFile[] files =
        [
            .. selection.Files.GroupBy(file => file.Hash)
                .Select(same => same.FirstOrDefault(file => !_repository.Holds(listing.Commit, file)) ?? same.First()),
        ];
        RequireSpace(listing, files);
        DownloadMeter meter = new(progress, files, options.ReportInterval);
        ParallelOptions parallel = new() { MaxDegreeOfParallelism = ParallelFiles, CancellationToken = cancellationToken };
        await Parallel.ForEachAsync(
            files,
            parallel,
            async (file, stop) => await download.FetchAsync(file, meter, stop).ConfigureAwait(false)).ConfigureAwait(false);
        LinkAll(listing.Commit, selection.Files);
        _repository.SetCommit(name.Revision, listing.Commit);
        string snapshot = _repository.SnapshotPath(listing.Commit);
        return selection.Config is null ? Path.Combine(snapshot, selection.Weights[0].Path) : snapshot;
    }

    private void LinkAll(string commit, IReadOnlyList<HubFile> files)
    {
        for (int i = 0; i < files.Count; i++)
        {
            bool isLast = files.Skip(i + 1).All(later => later.Hash != files[i].Hash);
            _repository.Link(commit, files[i], isLast);
        }
    }

    private async Task<CheckpointIndex> FetchIndexAsync(
        BlobDownload download, HubFile index, HubListing listing, bool verify, CancellationToken cancellationToken)
    {
        if (verify)
        {
            await RemoveDamagedAsync(listing, [index], progress: null, cancellationToken).ConfigureAwait(false);
        }

        DownloadMeter silent = new(progress: null, [index], options.ReportInterval);
        await download.FetchAsync(index, silent, cancellationToken).ConfigureAwait(false);
        return CheckpointIndex.Load(_repository.Find(listing.Commit, index)!);
    }

    private async Task RemoveDamagedAsync(
        HubListing listing,
        IReadOnlyList<HubFile> files,
        IProgress<ModelDownloadProgress>? progress,
        CancellationToken cancellationToken)
    {
        DownloadMeter meter = new(progress, files, options.ReportInterval);
        foreach (HubFile file in files)
        {
            if (_repository.Find(listing.Commit, file) is { } path
                && !await BlobCheck.IsWholeAsync(path, file, meter, cancellationToken).ConfigureAwait(false))
            {
                _repository.Remove(listing.Commit, file);
            }
        }
    }

    private void RequireSpace(HubListing listing, HubFile[] files)
    {
        long missing = files.Where(file => !_repository.Holds(listing.Commit, file))
            .Sum(file => Math.Max(0, file.Size - CachedRepository.LengthOf(_repository.PartialPath(file))));
        Directory.CreateDirectory(settings.CacheFolder);
        DiskSpace.Require(options, name, settings.CacheFolder, missing);
    }
}
