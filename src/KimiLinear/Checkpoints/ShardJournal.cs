using System.Globalization;
using System.Text;

namespace KimiLinear.Checkpoints;

/// <summary>Remembers, beside the weight files of a model in the making, which of them are finished.</summary>
/// <remarks>
/// A text file: the undertaking's fingerprint, then for each finished file some hashes that cannot be had again without reading
/// everything once more, and its size. Lines at the end that a killed process left unfinished are ignored. It stays open, so that
/// two processes cannot work in one folder.
/// </remarks>
internal sealed class ShardJournal : IDisposable
{
    private const string JournalName = "unfinished.journal";
    private const string Title = "kimi-linear model in the making";
    private const char Separator = '\t';

    private readonly string _folder;
    private readonly FileStream _stream;
    private readonly Dictionary<string, JournalFile> _files;
    private readonly Dictionary<string, long> _bytesByFile = [];
    private readonly Dictionary<string, string> _hashByName = [];

    private ShardJournal(string folder, IReadOnlyList<JournalFile> files, FileStream stream)
    {
        _folder = folder;
        _files = files.ToDictionary(file => file.FileName);
        _stream = stream;
    }

    /// <summary>Whether what an earlier call had begun was another undertaking, and is thrown away.</summary>
    public bool StartsAnew { get; private set; }

    public static bool Exists(string folder) => File.Exists(Path.Combine(folder, JournalName));

    /// <summary>Tells whether a file is a journal by its name.</summary>
    public static bool IsJournal(string filePath) => Path.GetFileName(filePath) == JournalName;

    public static void Delete(string folder) => File.Delete(Path.Combine(folder, JournalName));

    /// <summary>Tells whether the journal of a folder is one of an undertaking.</summary>
    public static bool IsOf(string folder, string fingerprint) =>
        Exists(folder)
        && File.ReadLines(Path.Combine(folder, JournalName)).FirstOrDefault() == $"{Title}{Separator}{fingerprint}";

    /// <summary>Opens the journal of a folder, or begins one.</summary>
    /// <param name="folder">The folder in which the model grows.</param>
    /// <param name="fingerprint">Tells one undertaking from another.</param>
    /// <param name="files">The weight files to be made.</param>
    /// <exception cref="IOException">
    /// Another process has it open, or the disk is full; a folder without other files is removed then.
    /// </exception>
    public static ShardJournal Open(string folder, string fingerprint, IReadOnlyList<JournalFile> files)
    {
        ShardJournal journal = new(folder, files, OpenAlone(folder));
        bool isNew = false;
        try
        {
            // What counts is never written again: a process that is killed right here must not forget it. Only an unfinished line
            // goes, which would be in the way of those to come.
            journal._stream.SetLength(journal.Read(fingerprint));
            _ = journal._stream.Seek(0, SeekOrigin.End);
            isNew = journal._stream.Length == 0;
            if (isNew)
            {
                journal.Append($"{Title}{Separator}{fingerprint}");
            }

            return journal;
        }
        catch
        {
            using (journal)
            {
                if (isNew)
                {
                    RemoveUnused(folder);
                }
            }

            throw;
        }
    }

    // On a full disk not even the first line fits, and there is nothing to go on with. The journal is still open, so that no other
    // process has begun here; where an open file cannot be deleted, as on Windows, it stays, which the next attempt takes up.
    private static void RemoveUnused(string folder)
    {
        try
        {
            if (Directory.EnumerateFileSystemEntries(folder).All(IsJournal))
            {
                Delete(folder);
                Directory.Delete(folder);
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // Why the journal cannot be begun is what counts.
        }
    }

    /// <summary>Tells whether a weight file is finished and still there.</summary>
    public bool IsFinished(string fileName) =>
        _bytesByFile.TryGetValue(fileName, out long bytes)
        && new FileInfo(Path.Combine(_folder, fileName)) is { Exists: true } file && file.Length == bytes
        && _files[fileName].HashNames.All(_hashByName.ContainsKey);

    /// <summary>Notes that a weight file is finished.</summary>
    /// <param name="fileName">The file.</param>
    /// <param name="hashes">The SHA-256 of each thing it names, in hexadecimal.</param>
    public void Finish(string fileName, IReadOnlyDictionary<string, string> hashes)
    {
        foreach ((string name, string hash) in hashes)
        {
            _hashByName[name] = hash;
        }

        _bytesByFile[fileName] = new FileInfo(Path.Combine(_folder, fileName)).Length;
        AppendFile(_files[fileName]);
    }

    /// <summary>A hash of a finished file.</summary>
    public string HashOf(string name) => _hashByName[name];

    public void Dispose() => _stream.Dispose();

    private static FileStream OpenAlone(string folder)
    {
        string path = Path.Combine(folder, JournalName);
        try
        {
            // Without a buffer, which it would try to write once more, and fail again, when it is closed on a full disk.
            return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 0);
        }
        catch (IOException exception) when (File.Exists(path))
        {
            throw new IOException($"Another process is writing into '{folder}': {exception.Message}", exception);
        }
    }

    // Returns how many bytes of the file count.
    private int Read(string fingerprint)
    {
        byte[] content = new byte[_stream.Length];
        _stream.ReadExactly(content);
        int wholeLines = content.AsSpan().LastIndexOf((byte)'\n') + 1;
        string text = Encoding.UTF8.GetString(content, 0, wholeLines);
        string[][] lines = [.. text.Split('\n').SkipLast(1).Select(line => line.Split(Separator))];
        if (lines.Length == 0)
        {
            return 0;
        }

        if (lines[0] is not [Title, string found] || found != fingerprint)
        {
            StartsAnew = true;
            return 0;
        }

        foreach (string[] line in lines)
        {
            if (line is ["hash", string name, string hash])
            {
                _hashByName[name] = hash;
            }
            else if (line is ["file", string file, string size]
                && _files.ContainsKey(file)
                && long.TryParse(size, NumberStyles.None, CultureInfo.InvariantCulture, out long bytes))
            {
                _bytesByFile[file] = bytes;
            }
        }

        return wholeLines;
    }

    private void AppendFile(JournalFile file)
    {
        StringBuilder text = new();
        foreach (string name in file.HashNames)
        {
            _ = text.Append("hash").Append(Separator).Append(name).Append(Separator).Append(_hashByName[name]).Append('\n');
        }

        _ = text.Append("file").Append(Separator).Append(file.FileName).Append(Separator);
        Append(text.Append(_bytesByFile[file.FileName].ToString(CultureInfo.InvariantCulture)).ToString());
    }

    private void Append(string line)
    {
        _stream.Write(Encoding.UTF8.GetBytes(line + "\n"));
        _stream.Flush(flushToDisk: true);
    }
}
