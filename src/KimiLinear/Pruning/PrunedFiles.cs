using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using KimiLinear.Checkpoints;

namespace KimiLinear.Pruning;

/// <summary>The weight files of a pruned model, as views of the source's.</summary>
internal sealed unsafe class PrunedFiles : IDisposable
{
    // Part of the fingerprint; to be raised when the same source and plan give other bytes.
    private const int Version = 1;

    // Content enters the fingerprint by samples, and by when its files were written: to read all would take as long as copying.
    private const int MaxSamples = 1024;
    private const int SampleBytes = 64;

    private readonly List<IDisposable> _owned = [];
    private readonly List<PrunedFile> _files = [];
    private readonly Dictionary<string, string> _fileByTensor = [];
    private readonly IReadOnlyList<string> _sources;

    private PrunedFiles(IReadOnlyList<string> sources) => _sources = sources;

    public IReadOnlyList<PrunedFile> Files => _files;

    /// <summary>For every tensor of a safetensors model its file, in the order in which they lie there.</summary>
    public IReadOnlyDictionary<string, string> FileByTensor => _fileByTensor;

    public long TotalBytes => _files.Sum(file => file.ByteCount);

    /// <summary>Bytes of the tensors of a safetensors model, without the heads of the files.</summary>
    public long TensorBytes { get; private set; }

    /// <summary>The files as the journal knows them: with the hash of each.</summary>
    public IReadOnlyList<JournalFile> JournalFiles =>
        [.. _files.Select(file => new JournalFile(file.FileName, [file.FileName]))];

    /// <summary>Describes the files.</summary>
    /// <param name="source">The model to prune.</param>
    /// <param name="weights">Its weights, already checked.</param>
    /// <param name="plan">A plan that fits it.</param>
    /// <param name="name">What the pruned model is called; GGUF files are named after it.</param>
    /// <exception cref="CheckpointFormatException">A tensor counts experts in a way that cannot be cut.</exception>
    public static PrunedFiles Open(ModelLocation source, Checkpoint weights, PruningPlan plan, string name)
    {
        PrunedFiles files = new(weights.Files);
        try
        {
            ExpertRenumbering renumbering = new(plan);
            if (source.IsGguf)
            {
                files.AddGguf(source.Path, renumbering, name);
            }
            else
            {
                files.AddSafetensors(weights.Files, renumbering);
            }

            return files;
        }
        catch
        {
            files.Dispose();
            throw;
        }
    }

    /// <summary>Tells one undertaking from another: the files, their content by samples and write times, and what else goes into the model.</summary>
    public string Fingerprint(params ReadOnlySpan<byte[]> further)
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Append($"kimi-linear prune {Version}");
        hash.AppendData(WriteTimes.Lines(_sources));
        foreach (byte[] bytes in further)
        {
            Append($"{bytes.Length}");
            hash.AppendData(bytes);
        }

        int stride = ((_files.Sum(file => file.Ranges.Count) - 1) / MaxSamples) + 1;
        int index = 0;
        foreach (PrunedFile file in _files)
        {
            Append($"{file.FileName} {file.Head.Length}");
            hash.AppendData(file.Head);
            foreach (SourceRange range in file.Ranges)
            {
                Append($"{range.ByteCount}");
                if (index++ % stride == 0 && range.Data != null)
                {
                    int length = (int)Math.Min(range.ByteCount, SampleBytes);
                    hash.AppendData(new ReadOnlySpan<byte>(range.Data + ((range.ByteCount - length) / 2), length));
                }
            }
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());

        void Append(FormattableString line) =>
            hash.AppendData(Encoding.UTF8.GetBytes(line.ToString(CultureInfo.InvariantCulture) + "\n"));
    }

    public void Dispose() => _owned.ForEach(file => file.Dispose());

    private void AddSafetensors(IReadOnlyList<string> paths, ExpertRenumbering renumbering)
    {
        SafetensorsPruning pruning = new(renumbering);
        foreach (string path in paths)
        {
            SafetensorsFile file = SafetensorsFile.Open(path);
            _owned.Add(file);
            List<string> names = [];
            if (pruning.Prune(file, names) is { } pruned)
            {
                _files.Add(pruned);
                TensorBytes += pruned.Head.Length > 0
                    ? pruned.ByteCount - pruned.Head.Length
                    : file.Entries.Sum(entry => entry.End - entry.Begin);
                names.ForEach(tensor => _fileByTensor.Add(tensor, pruned.FileName));
            }
        }
    }

    private void AddGguf(string path, ExpertRenumbering renumbering, string name)
    {
        GgufModel model = GgufModel.Open(path);
        _owned.Add(model);
        GgufPruning pruning = new(renumbering);
        for (int i = 0; i < model.Parts.Count; i++)
        {
            _files.Add(pruning.Prune(model.Parts[i], GgufParts.FileName(name, i, model.Parts.Count)));
        }
    }
}
