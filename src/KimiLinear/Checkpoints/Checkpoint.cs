using System.Diagnostics.CodeAnalysis;
using KimiLinear.Tensors;

namespace KimiLinear.Checkpoints;

/// <summary>The weights of a model, mapped read-only: nothing is copied until somebody reads it.</summary>
/// <remarks>
/// Whatever the files are, the tensors have the names and shapes of the published checkpoint; weights that no file holds may lie
/// in memory instead. Owns the mapped memory: no tensor may be touched after <see cref="Dispose"/>. Reading is safe from many
/// threads.
/// </remarks>
internal sealed class Checkpoint : IDisposable
{
    private const string SingleFileName = "model.safetensors";
    private const string FilePattern = "*.safetensors";

    private readonly IReadOnlyList<IDisposable> _owned;
    private readonly Dictionary<string, StoredTensor> _byName = [];
    private readonly Dictionary<string, string> _unusableTypes = [];

    private Checkpoint(string directory, IReadOnlyList<SafetensorsFile> files)
        : this(directory, Float8Entries.Join([.. files.SelectMany(file => file.Tensors)]), files)
    {
        Files = [.. files.Select(file => file.FilePath)];
        TotalBytes = files.Sum(file => file.FileBytes);
        foreach (SafetensorsEntry entry in files.SelectMany(file => file.Entries).Where(entry => entry.Type.DataType is null))
        {
            _unusableTypes.Add(entry.Name, entry.Type.Name);
        }
    }

    private Checkpoint(string filePath, GgufModel model, GgufWeights weights)
        : this(filePath, weights.Tensors, [weights, model])
    {
        Files = model.Files;
        TotalBytes = model.TotalBytes;
        FileTensors = model.Tensors;
    }

    private Checkpoint(string modelPath, IReadOnlyList<StoredTensor> tensors, IReadOnlyList<IDisposable> owned)
    {
        ModelPath = modelPath;
        _owned = owned;
        Files = [];
        TotalBytes = tensors.Sum(tensor => tensor.TotalByteCount);
        Tensors = tensors;
        FileTensors = tensors;
        foreach (StoredTensor tensor in Tensors)
        {
            if (!_byName.TryAdd(tensor.Name, tensor))
            {
                Dispose();
                throw new CheckpointFormatException(
                    $"{tensor.Name} is there twice in '{modelPath}', plain or packed; each tensor may occur once. "
                    + "Pack the model again, into an empty folder.",
                    modelPath);
            }
        }
    }

    /// <summary>The folder or the GGUF file it was opened from, or what stands for one in messages.</summary>
    public string ModelPath { get; }

    /// <summary>The weight files, in ordinal order of their names.</summary>
    public IReadOnlyList<string> Files { get; }

    /// <summary>The size of the files together, or of the tensors when they lie in memory.</summary>
    public long TotalBytes { get; }

    /// <summary>Every tensor whose data type this library knows, file after file, in the order in which they lie there.</summary>
    public IReadOnlyList<StoredTensor> Tensors { get; }

    /// <summary>The same as the files hold them, with the formats' own names; to tell what is stored.</summary>
    public IReadOnlyList<StoredTensor> FileTensors { get; }

    /// <summary>The tensors of any other data type, with the format's word for it.</summary>
    public IReadOnlyDictionary<string, string> UnusableTypes => _unusableTypes;

    /// <summary>Whether some weights are stored in blocks that share a scale.</summary>
    public bool HasQuantizedWeights =>
        Tensors.Any(tensor => PackedLayout.IsPacked(tensor.DataType) || GgufBlocks.Holds(tensor.DataType));

    /// <summary>Tells whether a folder holds safetensors weights, whole or not: an index or any such file.</summary>
    public static bool Exists(string modelDirectory) =>
        File.Exists(Path.Combine(modelDirectory, CheckpointIndex.FileName))
        || Directory.EnumerateFiles(modelDirectory, FilePattern).Any();

    /// <summary>Makes a checkpoint of tensors that lie in memory, of which it becomes the owner.</summary>
    /// <param name="name">What messages call it in place of a folder.</param>
    /// <param name="tensors">The tensors.</param>
    /// <param name="memory">Where they lie; released with the checkpoint.</param>
    public static Checkpoint InMemory(
        string name, IReadOnlyList<StoredTensor> tensors, IReadOnlyList<IDisposable> memory) =>
        new(name, tensors, memory);

    /// <summary>Opens the weights in a folder or a GGUF file.</summary>
    /// <exception cref="DirectoryNotFoundException">There is neither such a folder nor such a file.</exception>
    /// <exception cref="FileNotFoundException">The folder holds no weights.</exception>
    /// <exception cref="CheckpointFormatException">A file is damaged, missing or ambiguous.</exception>
    public static Checkpoint Open(string modelPath) => Open(ModelLocation.Find(modelPath));

    /// <summary>
    /// Opens the weights of a model: of a folder through its index if it has one, else its single safetensors file.
    /// </summary>
    /// <inheritdoc cref="Open(string)" path="/exception"/>
    public static Checkpoint Open(ModelLocation location)
    {
        if (location.IsGguf)
        {
            return OpenGguf(location.Path);
        }

        string indexPath = Path.Combine(location.Path, CheckpointIndex.FileName);
        return File.Exists(indexPath)
            ? OpenIndexed(location.Path, CheckpointIndex.Load(indexPath))
            : new Checkpoint(location.Path, [SafetensorsFile.Open(FindSingleFile(location.Path))]);
    }

    /// <summary>Finds a tensor; <see langword="false"/> when the files have none of that name.</summary>
    /// <exception cref="CheckpointFormatException">
    /// The tensor is there, but of a data type this library does not know.
    /// </exception>
    public bool TryGet(string name, [MaybeNullWhen(false)] out StoredTensor tensor)
    {
        if (_unusableTypes.TryGetValue(name, out string? type))
        {
            throw new CheckpointFormatException(
                $"{name} is stored as {type}, but weights must be float32, bfloat16 or float16. ('{ModelPath}')",
                ModelPath);
        }

        return _byName.TryGetValue(name, out tensor);
    }

    /// <summary>Finds a tensor that must be there.</summary>
    /// <exception cref="CheckpointFormatException">It is not, or is of a data type this library does not know.</exception>
    public StoredTensor Get(string name) => TryGet(name, out StoredTensor? tensor)
        ? tensor
        : throw new CheckpointFormatException($"The checkpoint in '{ModelPath}' has no tensor {name}.", ModelPath);

    public void Dispose()
    {
        foreach (IDisposable owned in _owned)
        {
            owned.Dispose();
        }
    }

    private static Checkpoint OpenGguf(string filePath)
    {
        GgufModel model = GgufModel.Open(filePath);
        try
        {
            return new Checkpoint(filePath, model, new GgufWeights(model.Tensors));
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    private static Checkpoint OpenIndexed(string directory, CheckpointIndex index)
    {
        index.RequireFiles();
        List<SafetensorsFile> files = [];
        try
        {
            Dictionary<string, HashSet<string>> namesByFile = [];
            foreach (string fileName in index.FileNames())
            {
                SafetensorsFile file = SafetensorsFile.Open(Path.Combine(directory, fileName));
                files.Add(file);
                namesByFile.Add(fileName, [.. file.Entries.Select(entry => entry.Name)]);
            }

            index.RequireAgreement(namesByFile);
            return new Checkpoint(directory, files);
        }
        catch
        {
            files.ForEach(file => file.Dispose());
            throw;
        }
    }

    private static string FindSingleFile(string directory)
    {
        string usual = Path.Combine(directory, SingleFileName);
        if (File.Exists(usual))
        {
            return usual;
        }

        string[] files = Directory.GetFiles(directory, FilePattern);
        return files.Length switch
        {
            1 => files[0],
            0 => throw new FileNotFoundException(
                $"No weights were found in '{directory}': it has neither {CheckpointIndex.FileName} nor {SingleFileName} "
                + "nor any other safetensors file nor a GGUF file.",
                usual),
            _ => throw new CheckpointFormatException(
                $"'{directory}' holds {files.Length} safetensors files, but no {CheckpointIndex.FileName} that says how they "
                + "belong together. Fetch the index as well.",
                directory),
        };
    }
}
