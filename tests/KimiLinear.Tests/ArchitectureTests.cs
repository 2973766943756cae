using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using Xunit;

namespace KimiLinear.Tests;

/// <summary>Keeps the folder tree honest: the order below is the architecture.</summary>
public sealed class ArchitectureTests
{
    private const int MaxFileLines = 400;

    // Bottom to top. A folder may import folders listed before it, never after.
    private static readonly string[] FoldersBottomUp =
    [
        "Configuration", "Tensors", "Checkpoints", "Backends", "Caching", "Layers", "Model", "Pruning",
        "Tokenization", "Sampling", "Generation", "Scheduling", "ToolCalls", "Chat", "Calibration",
    ];

    // Finds "using KimiLinear.Layers;", "KimiLinear.Layers.X" and, from inside the namespace, plain "Layers.X".
    private static readonly Regex NamedFolder = new(
        $@"(?<![\w.])(KimiLinear\.(?<folder>\w+)|(?<folder>{string.Join('|', FoldersBottomUp)})\.[A-Z])");

    public static TheoryData<string> SourceFiles() => new(
        Directory.EnumerateFiles(SourceRoot(), "*.cs", SearchOption.AllDirectories)
            .Select(path => Path.GetRelativePath(SourceRoot(), path).Replace('\\', '/'))
            .Where(path => !path.StartsWith("obj/", StringComparison.Ordinal))
            .Where(path => !path.StartsWith("bin/", StringComparison.Ordinal)));

    [Theory]
    [MemberData(nameof(SourceFiles))]
    public void SourceFile_AnyFolder_ImportsOnlyFoldersBelowIt(string file)
    {
        int rank = Array.IndexOf(FoldersBottomUp, Folder(file));
        Assert.True(rank >= 0, $"{file}: its folder is not in the list. Add it where it belongs, or move the file.");

        string[] above = [.. NamedFolder.Matches(Read(file)).Select(match => match.Groups["folder"].Value)
            .Where(named => Array.IndexOf(FoldersBottomUp, named) > rank).Distinct()];
        Assert.True(above.Length == 0, $"{file}: imports {string.Join(", ", above)}, which lie above {Folder(file)}.");
    }

    [Theory]
    [MemberData(nameof(SourceFiles))]
    public void SourceFile_AnyFolder_DeclaresItsFolderAsNamespace(string file) =>
        Assert.Contains($"namespace KimiLinear.{Folder(file)};", Read(file));

    [Theory]
    [MemberData(nameof(SourceFiles))]
    public void SourceFile_AnyFolder_FitsTheLineBudget(string file) =>
        Assert.InRange(Read(file).AsSpan().Count('\n'), 1, MaxFileLines);

    // See TorchArithmetic: TorchSharp makes numbers of its own in these, and lets them be collected while they are used.
    [Theory]
    [InlineData(@"\.(sub|square|pow|clamp|add_?)\((?!.*TorchArithmetic\.One)")]
    [InlineData(@"F\.softplus|torch\.arange|\.mul\([^)]*\df|masked_fill\([^;]*float\.")]
    public void TorchOperators_NumbersThatNobodyKeeps_AreNotPassed(string pattern) => Assert.Empty(
        SourceFiles().Select(row => row.Data)
            .Where(file => file.StartsWith("Backends/Torch/", StringComparison.Ordinal) && !file.EndsWith("/TorchArithmetic.cs", StringComparison.Ordinal))
            .SelectMany(file => Read(file).Split('\n').Where(line => Regex.IsMatch(line, pattern)).Select(line => $"{file}: {line.Trim()}")));

    [Fact]
    public void SourceFiles_TheLibrary_AreFound() => Assert.NotEmpty(SourceFiles());

    private static string Folder(string file) => file.Contains('/') ? file[..file.IndexOf('/')] : "";

    private static string Read(string file) => File.ReadAllText(Path.Combine(SourceRoot(), file));

    private static string SourceRoot([CallerFilePath] string here = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "..", "..", "src", "KimiLinear"));
}
