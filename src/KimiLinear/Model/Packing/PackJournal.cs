using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using KimiLinear.Tensors;

namespace KimiLinear.Model;

/// <summary>Remembers, beside the weight files of a packed model in the making, which of them are finished.</summary>
/// <remarks>
/// A text file: the undertaking's fingerprint, then for each finished file the hashes of the source tensors that went into it
/// and its size. Lines at the end that a killed process left unfinished are ignored. It stays open, so that two processes
/// cannot work in one folder.
/// </remarks>
internal sealed class PackJournal : IDisposable
{
    private const string FileName = "packing.journal";
    private const string Title = "kimi-linear packing";
    private const char Separator = '\t';

    private readonly string _folder;
    private readonly FileStream _stream;
    private readonly Dictionary<string, long> _bytesByShard = [];
    private readonly Dictionary<string, string> _hashByTensor = [];

    private PackJournal(string folder, FileStream stream)
    {
        _folder = folder;
        _stream = stream;
    }

    /// <summary>Whether what an earlier call had begun was another undertaking, and is thrown away.</summary>
    public bool StartsAnew { get; private set; }

    public static bool Exists(string folder) => File.Exists(Path.Combine(folder, FileName));

    public static void Delete(string folder) => File.Delete(Path.Combine(folder, FileName));

    /// <summary>Opens the journal of a folder, or begins one.</summary>
    /// <exception cref="IOException">Another process has it open.</exception>
    public static PackJournal Open(string folder, PackPlan plan)
    {
        PackJournal journal = new(folder, OpenAlone(folder));
        try
        {
            journal.Read(plan);

            // Written anew, so that no unfinished line is in the way of those to come.
            journal._stream.SetLength(0);
            journal.Append($"{Title}{Separator}{plan.Fingerprint}");
            foreach (PlannedShard shard in plan.Shards.Where(journal.IsFinished))
            {
                journal.AppendShard(shard);
            }

            return journal;
        }
        catch
        {
            journal.Dispose();
            throw;
        }
    }

    /// <summary>Tells whether a weight file is finished and still there.</summary>
    public bool IsFinished(PlannedShard shard) =>
        _bytesByShard.TryGetValue(shard.FileName, out long bytes)
        && new FileInfo(Path.Combine(_folder, shard.FileName)) is { Exists: true } file && file.Length == bytes
        && shard.Tensors.All(tensor => _hashByTensor.ContainsKey(tensor.Source.Name));

    /// <summary>Notes that a weight file is finished.</summary>
    /// <param name="shard">The file.</param>
    /// <param name="hashes">For each of its tensors the SHA-256 of the source's bytes, in hexadecimal.</param>
    public void Finish(PlannedShard shard, IReadOnlyDictionary<string, string> hashes)
    {
        foreach ((string name, string hash) in hashes)
        {
            _hashByTensor[name] = hash;
        }

        _bytesByShard[shard.FileName] = new FileInfo(Path.Combine(_folder, shard.FileName)).Length;
        AppendShard(shard);
    }

    /// <summary>
    /// The SHA-256 of the source: over a line for each tensor, in ordinal order of the names, of its name, type, shape and hash.
    /// </summary>
    public string SourceHash(PackPlan plan)
    {
        StringBuilder text = new();
        IEnumerable<StoredTensor> sources = plan.Tensors.Select(tensor => tensor.Source);
        foreach (StoredTensor source in sources.OrderBy(source => source.Name, StringComparer.Ordinal))
        {
            _ = text.Append(
                CultureInfo.InvariantCulture, $"{source.Name} {source.DataType} {source.Shape} {_hashByTensor[source.Name]}\n");
        }

        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())));
    }

    public void Dispose() => _stream.Dispose();

    private static FileStream OpenAlone(string folder)
    {
        string path = Path.Combine(folder, FileName);
        try
        {
            return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException exception) when (File.Exists(path))
        {
            throw new IOException($"Another process is packing into '{folder}': {exception.Message}", exception);
        }
    }

    private void Read(PackPlan plan)
    {
        using StreamReader reader = new(_stream, leaveOpen: true);
        string text = reader.ReadToEnd();
        string[][] lines = [.. text.Split('\n').SkipLast(1).Select(line => line.Split(Separator))];
        if (lines.Length == 0)
        {
            return;
        }

        if (lines[0] is not [Title, string fingerprint] || fingerprint != plan.Fingerprint)
        {
            StartsAnew = true;
            return;
        }

        foreach (string[] line in lines)
        {
            if (line is ["tensor", string name, string hash])
            {
                _hashByTensor[name] = hash;
            }
            else if (line is ["file", string file, string size]
                && long.TryParse(size, NumberStyles.None, CultureInfo.InvariantCulture, out long bytes))
            {
                _bytesByShard[file] = bytes;
            }
        }
    }

    private void AppendShard(PlannedShard shard)
    {
        StringBuilder text = new();
        foreach (PlannedTensor tensor in shard.Tensors)
        {
            string name = tensor.Source.Name;
            _ = text.Append("tensor").Append(Separator).Append(name).Append(Separator).Append(_hashByTensor[name]).Append('\n');
        }

        _ = text.Append("file").Append(Separator).Append(shard.FileName).Append(Separator);
        Append(text.Append(_bytesByShard[shard.FileName].ToString(CultureInfo.InvariantCulture)).ToString());
    }

    private void Append(string line)
    {
        _stream.Write(Encoding.UTF8.GetBytes(line + "\n"));
        _stream.Flush(flushToDisk: true);
    }
}
