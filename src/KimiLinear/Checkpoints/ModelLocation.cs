using KimiLinear.Configuration;

namespace KimiLinear.Checkpoints;

/// <summary>Where a model lies: in a folder with <c>config.json</c> and safetensors files, or in a GGUF file.</summary>
/// <param name="Path">The folder, or the GGUF file.</param>
/// <param name="IsGguf">Whether it is a GGUF file; of a model in several files, the first.</param>
internal sealed record ModelLocation(string Path, bool IsGguf)
{
    /// <summary>
    /// What the model is called: the name of its folder, or that of its file without the ending; on the hub, if its folder lies
    /// in the hub's cache, where folders are named after commits.
    /// </summary>
    public string Name => IsGguf
        ? GgufParts.ModelName(System.IO.Path.GetFileName(Path))
        : CachedRepository.NameOfSnapshot(Path)
            ?? System.IO.Path.GetFileName(System.IO.Path.TrimEndingDirectorySeparator(System.IO.Path.GetFullPath(Path)));

    /// <summary>Whether the weights are there, whole or not.</summary>
    public bool HasWeights => IsGguf || Checkpoint.Exists(Path);

    /// <summary>Finds out what a path names. A folder without safetensors stands for the one GGUF model in it.</summary>
    /// <exception cref="DirectoryNotFoundException">There is neither such a folder nor such a file.</exception>
    /// <exception cref="CheckpointFormatException">The folder holds several GGUF models.</exception>
    public static ModelLocation Find(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (File.Exists(path))
        {
            return new ModelLocation(path, IsGguf: true);
        }

        if (!Directory.Exists(path))
        {
            string hint = HubModelName.TryParse(path, out _) ? $" A name on the hub goes to {nameof(ModelHub)} first." : "";
            throw new DirectoryNotFoundException(
                $"The model '{path}' does not exist: there is no such folder and no such file.{hint}");
        }

        return !Checkpoint.Exists(path) && FindGguf(path) is { } file
            ? new ModelLocation(file, IsGguf: true)
            : new ModelLocation(path, IsGguf: false);
    }

    /// <summary>Finds the only GGUF model of a folder; <see langword="null"/> when there is none.</summary>
    /// <exception cref="CheckpointFormatException">There are several.</exception>
    public static string? FindGguf(string directory)
    {
        string[] files =
        [
            .. Directory.EnumerateFiles(directory, $"*{GgufFile.Extension}")
                .Where(file => !GgufParts.IsLaterPart(file))
                .Order(StringComparer.Ordinal),
        ];
        return files.Length <= 1
            ? files.FirstOrDefault()
            : throw new CheckpointFormatException(
                $"'{directory}' holds {files.Length} GGUF models. Point to one of the files: "
                + $"{string.Join(", ", files.Select(file => System.IO.Path.GetFileName(file)))}.",
                directory);
    }

    /// <summary>Reads the model's configuration from <c>config.json</c> or from the metadata of the GGUF file.</summary>
    /// <exception cref="FileNotFoundException">The folder has no <c>config.json</c>.</exception>
    /// <exception cref="ModelFormatException">A file is damaged, or describes a model that cannot be run.</exception>
    public KimiLinearConfig LoadConfig()
    {
        if (!IsGguf)
        {
            return KimiLinearConfig.Load(Path);
        }

        using GgufModel model = GgufModel.Open(Path);
        return new GgufConfigReader(model).Read();
    }
}
