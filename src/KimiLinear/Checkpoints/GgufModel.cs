using KimiLinear.Tensors;

namespace KimiLinear.Checkpoints;

/// <summary>A Kimi-Linear model in one GGUF file or several: metadata, and tensors under the format's own names.</summary>
internal sealed class GgufModel : IDisposable
{
    private const string ArchitectureKey = "general.architecture";
    private const string Architecture = "kimi-linear";

    // Enough to see what is going on; a model quantised another way has thousands.
    private const int MaxListedProblems = 10;

    private readonly IReadOnlyList<GgufFile> _files;

    private GgufModel(IReadOnlyList<GgufFile> files)
    {
        _files = files;
        RequireArchitecture();
        RequireKnownTypes();
        Files = [.. files.Select(file => file.FilePath)];
        TotalBytes = files.Sum(file => file.FileBytes);
        Tensors = [.. files.SelectMany(file => file.Entries.Select(file.View))];
    }

    /// <summary>The files, the first part first.</summary>
    public IReadOnlyList<string> Files { get; }

    /// <summary>The same, opened.</summary>
    public IReadOnlyList<GgufFile> Parts => _files;

    /// <summary>The size of the files together.</summary>
    public long TotalBytes { get; }

    /// <summary>The metadata of the first file, which are those of the model.</summary>
    public GgufMetadata Metadata => _files[0].Metadata;

    /// <summary>All tensors, file after file, in the order in which they lie there.</summary>
    public IReadOnlyList<StoredTensor> Tensors { get; }

    /// <summary>The key of the number of routed experts.</summary>
    public static string ExpertCountKey => Key("expert_count");

    /// <summary>The key of one of the model's own facts.</summary>
    public static string Key(string name) => $"{Architecture}.{name}";

    /// <summary>Opens a model, given its only or its first file.</summary>
    /// <exception cref="CheckpointFormatException">A file is damaged, missing, or of a model that cannot be run.</exception>
    /// <exception cref="IOException">A file cannot be opened or mapped.</exception>
    public static GgufModel Open(string filePath)
    {
        IReadOnlyList<GgufFile> files = GgufParts.Open(filePath);
        try
        {
            return new GgufModel(files);
        }
        catch
        {
            Close(files);
            throw;
        }
    }

    public void Dispose() => Close(_files);

    private static void Close(IEnumerable<GgufFile> files)
    {
        foreach (GgufFile file in files)
        {
            file.Dispose();
        }
    }

    private void RequireArchitecture()
    {
        string architecture = Metadata.OptionalText(ArchitectureKey) ?? throw Metadata.Missing(ArchitectureKey);
        if (architecture != Architecture)
        {
            throw Metadata.Refuse(
                ArchitectureKey, $"must be '{Architecture}', because no other models can be run", $"is '{architecture}'");
        }
    }

    private void RequireKnownTypes()
    {
        string[] unknown =
        [
            .. _files.SelectMany(file => file.Entries)
                .Where(entry => entry.Type.DataType is null)
                .Select(entry => $"{entry.Name} is stored as {entry.Type.Name}"),
        ];
        if (unknown.Length > 0)
        {
            string path = _files[0].FilePath;
            throw new CheckpointFormatException(
                $"'{path}' is quantised in a way that cannot be read; use a file with {GgufDataType.UsableNames} only. Of its "
                + $"tensors {unknown.Length} are others:{new ProblemList(unknown, MaxListedProblems)}",
                path);
        }
    }
}
