using System.Runtime.CompilerServices;
using System.Text.Json;

namespace Kimi.Tests;

/// <summary>The models and expected results in the repository.</summary>
internal static class TestFiles
{
    public static string TinyModel { get; } = Path.Combine(RepositoryRoot(), "samples", "models", "kimi-linear-tiny");

    public static string GoldenModel(string name) => Path.Combine(RepositoryRoot(), "tests", "golden", "models", name);

    /// <summary>A file of the folder of small GGUF models.</summary>
    public static string GoldenGguf(string name) => Path.Combine(RepositoryRoot(), "tests", "golden", "gguf", name);

    /// <summary>The objects of a golden file, line by line.</summary>
    public static JsonElement[] GoldenLines(string path) =>
    [
        .. File.ReadLines(Path.Combine(RepositoryRoot(), "tests", "golden", path))
            .Select(line => JsonSerializer.Deserialize<JsonElement>(line)),
    ];

    /// <summary>Some values as JSON, one per line.</summary>
    public static string JsonLines(IEnumerable<JsonElement> values) =>
        string.Concat(values.Select(value => JsonSerializer.Serialize(value) + "\n"));

    public static int[] Ids(JsonElement array) => array.Deserialize<int[]>()!;

    private static string RepositoryRoot([CallerFilePath] string here = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "..", ".."));
}
