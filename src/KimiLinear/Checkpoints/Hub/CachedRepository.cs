namespace KimiLinear.Checkpoints;

/// <summary>
/// A model's folder in the cache, laid out as Python's huggingface_hub lays it out: <c>blobs</c> named by their hash,
/// <c>snapshots</c> of commits made of links to them, and <c>refs</c> that say which commit a revision was when last asked.
/// </summary>
internal sealed class CachedRepository
{
    private const string FolderPrefix = "models--";
    private const string Separator = "--";
    private const string SnapshotsFolder = "snapshots";

    private readonly string _cacheFolder;
    private readonly string _folderName;
    private readonly ModelHubOptions _options;

    public CachedRepository(string cacheFolder, string repository, ModelHubOptions options)
    {
        _cacheFolder = cacheFolder;
        _folderName = FolderPrefix + repository.Replace("/", Separator, StringComparison.Ordinal);
        _options = options;
    }

    public string Folder => Path.Combine(_cacheFolder, _folderName);

    /// <summary>The model that a folder is a snapshot of; <see langword="null"/> when it is none.</summary>
    public static string? NameOfSnapshot(string folder)
    {
        string? snapshots = Path.GetDirectoryName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder)));
        string owner = Path.GetFileName(Path.GetDirectoryName(snapshots)) ?? "";
        return Path.GetFileName(snapshots) == SnapshotsFolder
            && owner.StartsWith(FolderPrefix, StringComparison.Ordinal)
            && owner[FolderPrefix.Length..].Split(Separator) is [string organisation, string name]
                ? $"{organisation}/{name}"
                : null;
    }

    /// <summary>The bytes of a file that a link may lead to; 0 when there is none.</summary>
    public static long LengthOf(string path) => Target(path) is { Exists: true } file ? file.Length : 0;

    /// <summary>Whether a file is there; a link that leads nowhere is not.</summary>
    public static bool IsPresent(string path) => Target(path) is { Exists: true };

    public string BlobPath(HubFile file) => Path.Combine(Folder, "blobs", file.Hash);

    public string PartialPath(HubFile file) => $"{BlobPath(file)}.incomplete";

    public string LockPath(HubFile file) => Path.Combine(_cacheFolder, ".locks", _folderName, $"{file.Hash}.lock");

    public string SnapshotPath(string commit) => Path.Combine(Folder, SnapshotsFolder, commit);

    /// <summary>Which commit a revision was when it was last fetched; <see langword="null"/> when it never was.</summary>
    public string? CommitOf(string revision)
    {
        if (HubModelName.IsCommit(revision))
        {
            return revision;
        }

        string path = RefPath(revision);
        return File.Exists(path) && File.ReadAllText(path).Trim() is string commit && HubModelName.IsCommit(commit) ? commit : null;
    }

    /// <summary>Notes which commit a revision is.</summary>
    public void SetCommit(string revision, string commit)
    {
        if (revision == commit || CommitOf(revision) == commit)
        {
            return;
        }

        string path = RefPath(revision);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        PutInPlace(path, temporary =>
        {
            File.WriteAllText(temporary, commit);
            File.Move(temporary, path, overwrite: true);
        });
    }

    /// <summary>Whether a file of a commit is there and has its size, as a blob or, where links are not possible, in the snapshot.</summary>
    public bool Holds(string commit, HubFile file) => Find(commit, file) is not null;

    /// <summary>Where a file of a commit lies; <see langword="null"/> when it is not there or has another size.</summary>
    public string? Find(string commit, HubFile file)
    {
        string[] places = [BlobPath(file), FilePath(commit, file)];
        return places.FirstOrDefault(path => IsPresent(path) && LengthOf(path) == file.Size);
    }

    /// <summary>Makes a blob of a file that has been fetched.</summary>
    public void Keep(HubFile file) => File.Move(PartialPath(file), BlobPath(file), overwrite: true);

    /// <summary>Removes what is there of a file.</summary>
    public void Remove(string commit, HubFile file)
    {
        string[] paths = [FilePath(commit, file), BlobPath(file)];
        foreach (string path in paths.Where(Path.Exists))
        {
            File.Delete(path);
        }
    }

    /// <summary>Makes a file appear in the snapshot of a commit.</summary>
    /// <param name="commit">The commit.</param>
    /// <param name="file">The file, whose blob is there.</param>
    /// <param name="isLast">Whether no other file of the snapshot has the same content.</param>
    public void Link(string commit, HubFile file, bool isLast)
    {
        string path = FilePath(commit, file);
        string blob = BlobPath(file);
        if (!IsPresent(blob) || (IsPresent(path) && new FileInfo(path).LinkTarget is not null))
        {
            return;
        }

        string folder = Path.GetDirectoryName(path)!;
        Directory.CreateDirectory(folder);
        PutInPlace(path, temporary =>
        {
            try
            {
                _options.CreateLink(temporary, Path.GetRelativePath(folder, blob));
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                Place(blob, path, temporary, isLast);
                return;
            }

            File.Move(temporary, path, overwrite: true);
        });
    }

    // Put there at once and whole: another process may use what it has put there a moment ago. Nothing stays when that fails.
    private static void PutInPlace(string path, Action<string> put)
    {
        string temporary = $"{path}.{Guid.NewGuid():N}.tmp";
        try
        {
            put(temporary);
        }
        catch
        {
            File.Delete(temporary);
            throw;
        }
    }

    // On Windows links take a right, and some disks know none. As Python does, the file itself goes to the snapshot.
    private static void Place(string blob, string path, string temporary, bool isLast)
    {
        try
        {
            if (!isLast)
            {
                File.Copy(blob, temporary);
            }

            File.Move(isLast ? blob : temporary, path, overwrite: true);
        }
        catch (FileNotFoundException) when (IsPresent(path))
        {
            // Another process was faster and has moved it.
        }
    }

    // A link is no file of a length; what it leads to is.
    private static FileInfo? Target(string path)
    {
        FileInfo file = new(path);
        try
        {
            return file.LinkTarget is null
                ? file
                : file.ResolveLinkTarget(returnFinalTarget: true) is { } target ? new FileInfo(target.FullName) : null;
        }
        catch (IOException)
        {
            // Links in a circle.
            return null;
        }
    }

    private string FilePath(string commit, HubFile file) => Path.Combine(SnapshotPath(commit), file.Path);

    private string RefPath(string revision) => Path.Combine(Folder, "refs", revision);
}
