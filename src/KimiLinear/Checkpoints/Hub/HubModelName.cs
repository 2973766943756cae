using System.Buffers;
using System.Diagnostics.CodeAnalysis;

namespace KimiLinear.Checkpoints;

/// <summary>A model by its name on the hub: <c>org/name</c>, <c>org/name@revision</c>, <c>org/name:file.gguf</c>.</summary>
/// <param name="Repository">Organisation and name.</param>
/// <param name="Revision">A branch, a tag or a commit.</param>
/// <param name="File">The GGUF file asked for; <see langword="null"/> when none is.</param>
internal sealed record HubModelName(string Repository, string Revision, string? File)
{
    /// <summary>What a name looks like, for messages.</summary>
    public const string Form = "org/name, org/name@revision or org/name:file.gguf";

    private const string DefaultRevision = "main";
    private const int MaxRepositoryLength = 96;
    private const int MaxRevisionLength = 250;
    private const int CommitLength = 40;

    private static readonly SearchValues<char> RepositoryCharacters =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.");

    // Those that git allows in no name.
    private static readonly SearchValues<char> ForbiddenInRevisions = SearchValues.Create(" ~^:?*[\\\u007f");

    /// <summary>Tells whether a text is the full hash of a commit.</summary>
    public static bool IsCommit(string text) => text.Length == CommitLength && text.All(char.IsAsciiHexDigitLower);

    /// <summary>Reads a name; <see langword="false"/> when the text cannot be one.</summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out HubModelName? name)
    {
        int colon = text.IndexOf(':', StringComparison.Ordinal);
        string? file = colon < 0 ? null : text[(colon + 1)..];
        string head = colon < 0 ? text : text[..colon];
        int at = head.IndexOf('@', StringComparison.Ordinal);
        string revision = at < 0 ? DefaultRevision : head[(at + 1)..];
        string repository = at < 0 ? head : head[..at];
        name = IsRepository(repository) && IsRevision(revision) && (file is null || (IsGguf(file) && HubFile.IsSafePath(file)))
            ? new HubModelName(repository, revision, file)
            : null;
        return name is not null;
    }

    public override string ToString() =>
        Repository + (Revision == DefaultRevision ? "" : $"@{Revision}") + (File is null ? "" : $":{File}");

    private static bool IsRepository(string text) =>
        text.Length <= MaxRepositoryLength
        && text.Split('/') is [string organisation, string name]
        && IsSegment(organisation)
        && IsSegment(name)
        && !name.EndsWith(".git", StringComparison.Ordinal)
        // Whoever writes this means a file.
        && !IsGguf(name);

    private static bool IsSegment(string text) =>
        text.Length > 0
        && !text.AsSpan().ContainsAnyExcept(RepositoryCharacters)
        && text[0] is not ('-' or '.')
        && text[^1] is not ('-' or '.')
        && !text.Contains("--", StringComparison.Ordinal)
        && !text.Contains("..", StringComparison.Ordinal);

    // A revision becomes the path of a file, so nothing may lead out of the folder.
    private static bool IsRevision(string text) =>
        text.Length is > 0 and <= MaxRevisionLength
        && text[0] != '-'
        && !text.AsSpan().ContainsAny(ForbiddenInRevisions)
        && !text.Any(char.IsControl)
        && !text.Contains("..", StringComparison.Ordinal)
        && text.Split('/').All(part => part.Length > 0 && part[0] != '.' && part[^1] != '.');

    private static bool IsGguf(string file) => file.EndsWith(GgufFile.Extension, StringComparison.OrdinalIgnoreCase);
}
