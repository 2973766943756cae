using KimiLinear.Configuration;

namespace KimiLinear.Checkpoints;

/// <summary>Finds the model in a snapshot of the cache, if all of it is there.</summary>
internal static class CachedSnapshot
{
    private const string AnyGguf = "*" + GgufFile.Extension;

    /// <summary>
    /// Finds what to load: the snapshot's folder for safetensors, else the GGUF file asked for or the only one;
    /// <see langword="null"/> when something is missing.
    /// </summary>
    /// <param name="folder">The folder of the snapshot.</param>
    /// <param name="file">The GGUF file asked for, if one is.</param>
    /// <exception cref="ModelHubException">No GGUF file is asked for, and there are several.</exception>
    public static string? Find(string folder, string? file)
    {
        if (!Directory.Exists(folder))
        {
            return null;
        }

        if (file is not null)
        {
            return WholeGguf(folder, file);
        }

        return Checkpoint.Exists(folder)
            ? HoldsWholeModel(folder) ? folder : null
            : OnlyGguf(folder) is { } only ? WholeGguf(folder, only) : null;
    }

    private static bool HoldsWholeModel(string folder)
    {
        string index = Path.Combine(folder, CheckpointIndex.FileName);
        return CachedRepository.IsPresent(Path.Combine(folder, KimiLinearConfigReader.FileName))
            && (Path.Exists(index)
                ? CachedRepository.IsPresent(index)
                    && CheckpointIndex.Load(index).FileNames().All(name => CachedRepository.IsPresent(Path.Combine(folder, name)))
                : Directory.EnumerateFiles(folder, "*.safetensors").All(CachedRepository.IsPresent));
    }

    private static string? OnlyGguf(string folder)
    {
        string[] files =
        [
            .. Directory.EnumerateFiles(folder, AnyGguf, SearchOption.AllDirectories)
                .Where(path => !GgufParts.IsLaterPart(path))
                .Select(path => Path.GetRelativePath(folder, path).Replace('\\', '/'))
                .Order(StringComparer.Ordinal),
        ];
        return files.Length <= 1 ? files.FirstOrDefault() : throw Ambiguous(folder, files);
    }

    /// <summary>Says that one of several GGUF files has to be chosen.</summary>
    public static ModelHubException Ambiguous(string where, IReadOnlyList<string> files) => new(
        $"'{where}' holds {files.Count} GGUF models. Choose one by adding it to the name after a colon: {string.Join(", ", files)}.");

    private static string? WholeGguf(string folder, string file)
    {
        IReadOnlyList<string> parts = GgufParts.Names(file);
        return parts.All(part => CachedRepository.IsPresent(Path.Combine(folder, part))) ? Path.Combine(folder, parts[0]) : null;
    }
}
