namespace KimiLinear.Checkpoints;

/// <summary>A file of a model on the hub.</summary>
/// <param name="Path">Where it lies in the repository, with slashes.</param>
/// <param name="Size">Its bytes.</param>
/// <param name="Hash">
/// What its content must hash to, and the name of its blob in the cache: the sha256 of large files, else git's hash of a blob.
/// </param>
internal sealed record HubFile(string Path, long Size, string Hash)
{
    /// <summary>Whether a path stays in the folder that it is joined to, on every system.</summary>
    public static bool IsSafePath(string path) =>
        path.AsSpan().IndexOfAny("\\:\0") < 0 && path.Split('/').All(part => part is not ("" or "." or ".."));
}
