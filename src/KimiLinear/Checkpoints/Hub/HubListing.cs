using System.Text.Json;

namespace KimiLinear.Checkpoints;

/// <summary>What the hub says about a revision of a model: the commit it stands for, and the files.</summary>
/// <param name="Commit">The hash of the commit.</param>
/// <param name="Files">The files by their paths; <see langword="null"/> for one that lacks a size or a hash.</param>
internal sealed record HubListing(string Commit, IReadOnlyDictionary<string, HubFile?> Files)
{
    /// <summary>Reads the hub's answer.</summary>
    /// <exception cref="JsonException">It is not what the hub answers.</exception>
    public static HubListing Parse(ReadOnlyMemory<byte> utf8Json)
    {
        using JsonDocument document = JsonDocument.Parse(utf8Json);
        JsonElement root = document.RootElement;
        string? commit = Text(root, "sha");
        if (commit is null || !HubModelName.IsCommit(commit)
            || !root.TryGetProperty("siblings", out JsonElement siblings) || siblings.ValueKind != JsonValueKind.Array)
        {
            throw new JsonException("It must hold the hash of a commit as sha and the files as siblings.");
        }

        Dictionary<string, HubFile?> files = [];
        foreach (JsonElement sibling in siblings.EnumerateArray())
        {
            if (Text(sibling, "rfilename") is string path && HubFile.IsSafePath(path))
            {
                files[path] = ParseFile(path, sibling);
            }
        }

        return new HubListing(commit, files);
    }

    private static HubFile? ParseFile(string path, JsonElement sibling)
    {
        bool isLarge = sibling.TryGetProperty("lfs", out JsonElement lfs) && lfs.ValueKind == JsonValueKind.Object;
        JsonElement facts = isLarge ? lfs : sibling;
        string? hash = Text(facts, isLarge ? "sha256" : "blobId");
        return BlobHash.IsHash(hash)
            && facts.TryGetProperty("size", out JsonElement size) && size.ValueKind == JsonValueKind.Number
            && size.TryGetInt64(out long bytes) && bytes >= 0
            ? new HubFile(path, bytes, hash)
            : null;
    }

    private static string? Text(JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object
        && element.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.String
            ? value.GetString()
            : null;
}
