using System.Text.Json;
using KimiLinear.Configuration;

namespace KimiLinear.Checkpoints;

/// <summary>The index of a checkpoint in several files: which tensor lies in which.</summary>
/// <param name="FilePath">The index file.</param>
/// <param name="FileByTensor">For every tensor name the plain name of a file beside the index.</param>
internal sealed record CheckpointIndex(string FilePath, IReadOnlyDictionary<string, string> FileByTensor)
{
    public const string FileName = "model.safetensors.index.json";

    private const string WeightMapKey = "weight_map";

    // Enough to see what is going on; a checkpoint with one wrong file can have thousands of wrong lines.
    private const int MaxListedProblems = 20;

    /// <summary>Reads an index file.</summary>
    /// <exception cref="CheckpointFormatException">It is damaged, or names a file outside its folder.</exception>
    public static CheckpointIndex Load(string filePath)
    {
        try
        {
            return new CheckpointIndex(filePath, ReadWeightMap(StrictJson.Parse(File.ReadAllBytes(filePath)), filePath));
        }
        catch (JsonException exception)
        {
            throw new CheckpointFormatException($"'{filePath}' is not valid JSON: {exception.Message}", filePath, exception);
        }
    }

    /// <summary>The files named, each once, in ordinal order of their names.</summary>
    public IReadOnlyList<string> FileNames() => [.. FileByTensor.Values.Distinct().Order(StringComparer.Ordinal)];

    /// <summary>Checks that every file named lies beside the index.</summary>
    /// <exception cref="CheckpointFormatException">Some do not; all of them are named.</exception>
    public void RequireFiles()
    {
        string directory = Path.GetDirectoryName(FilePath)!;
        string[] missing = [.. FileNames().Where(name => !File.Exists(Path.Combine(directory, name)))];
        if (missing.Length > 0)
        {
            throw new CheckpointFormatException(
                $"'{FilePath}' names {FileNames().Count} files, but {missing.Length} of them are not there: "
                + $"{string.Join(", ", missing)}. Fetch them into the same folder.",
                FilePath);
        }
    }

    /// <summary>Checks that every tensor lies in the file the index names and nowhere else.</summary>
    /// <param name="namesByFile">What each file holds, by its plain name.</param>
    /// <exception cref="CheckpointFormatException">Index and files disagree; the differences are listed.</exception>
    public void RequireAgreement(IReadOnlyDictionary<string, HashSet<string>> namesByFile)
    {
        IEnumerable<string> absent = FileByTensor.Where(pair => !namesByFile[pair.Value].Contains(pair.Key))
            .Select(pair => $"{pair.Key} should be in {pair.Value}, but is not");
        IEnumerable<string> unlisted = namesByFile
            .SelectMany(file => file.Value.Select(name => (File: file.Key, Name: name)))
            .Where(found => !FileByTensor.TryGetValue(found.Name, out string? expected) || expected != found.File)
            .Select(found => FileByTensor.TryGetValue(found.Name, out string? expected)
                ? $"{found.Name} is in {found.File}, but the index says {expected}"
                : $"{found.Name} is in {found.File}, but not in the index");

        ProblemList problems = new([.. absent, .. unlisted], MaxListedProblems);
        if (problems.Count > 0)
        {
            throw new CheckpointFormatException($"'{FilePath}' does not fit the files beside it:{problems}", FilePath);
        }
    }

    private static Dictionary<string, string> ReadWeightMap(JsonElement root, string filePath)
    {
        if (root.ValueKind != JsonValueKind.Object || !root.TryGetProperty(WeightMapKey, out JsonElement map)
            || map.ValueKind != JsonValueKind.Object)
        {
            throw new CheckpointFormatException(
                $"'{filePath}' must be a JSON object with an object {WeightMapKey}, but is not.", filePath);
        }

        Dictionary<string, string> fileByTensor = [];
        foreach (JsonProperty property in map.EnumerateObject())
        {
            if (property.Value.ValueKind != JsonValueKind.String)
            {
                throw new CheckpointFormatException(
                    $"The {WeightMapKey} of '{filePath}' must map each tensor to a file name, but {property.Name} maps to "
                    + $"{property.Value.ValueKind}.",
                    filePath);
            }

            string fileName = property.Value.GetString()!;
            if (!IsPlainFileName(fileName))
            {
                throw new CheckpointFormatException(
                    $"The {WeightMapKey} of '{filePath}' must name files in its own folder, but {property.Name} maps to "
                    + $"'{fileName}'.",
                    filePath);
            }

            fileByTensor.Add(property.Name, fileName);
        }

        return fileByTensor.Count > 0
            ? fileByTensor
            : throw new CheckpointFormatException($"The {WeightMapKey} of '{filePath}' names no tensors.", filePath);
    }

    // Both kinds of slash and the drive colon are refused on every system, so that a checkpoint is safe everywhere or nowhere.
    private static bool IsPlainFileName(string name) =>
        name.Length > 0 && name is not ("." or "..") && name.AsSpan().IndexOfAny("/\\:\0") < 0;
}
