using System.Runtime.CompilerServices;
using Xunit;

namespace KimiLinear.Tests.Checkpoints;

/// <summary>The model folders that come with the repository.</summary>
internal static class TestModels
{
    private static readonly string Root = RepositoryRoot();

    /// <summary>Every model folder, by its path relative to the repository.</summary>
    public static TheoryData<string> Folders() => new(
        Directory.GetDirectories(Path.Combine(Root, "tests", "golden", "models"))
            .Append(Path.Combine(Root, "samples", "models", "kimi-linear-tiny"))
            .Select(folder => Path.GetRelativePath(Root, folder).Replace('\\', '/'))
            .Order(StringComparer.Ordinal));

    public static string Golden(string name) => Path.Combine(Root, "tests", "golden", "models", name);

    public static string FullPath(string folder) => Path.Combine(Root, folder);

    private static string RepositoryRoot([CallerFilePath] string here = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "..", "..", ".."));
}
