using System.Text.Json;
using KimiLinear.Configuration;

namespace KimiLinear.Pruning;

/// <summary>Keeps, beside the file that an observation will be saved to, what is done of it so far.</summary>
/// <remarks>
/// A folder with the file of the state, which is replaced in one step, and whatever else a way of observing needs. A lock keeps
/// two processes from working in one folder.
/// </remarks>
internal sealed class ObservationFolder : IDisposable
{
    private const string Suffix = ".partial";
    private const string LockName = "lock";
    private const string StateName = "progress.json";

    private readonly string _resultPath;
    private readonly string _key;
    private readonly FileStream _lock;

    private ObservationFolder(string resultPath, string key, FileStream ownLock)
    {
        _resultPath = resultPath;
        _key = key;
        _lock = ownLock;
    }

    private string FolderPath => _resultPath + Suffix;

    private string StatePath => PathOf(StateName);

    /// <summary>Opens the folder of an observation, or makes it.</summary>
    /// <param name="resultPath">Where the result will be saved.</param>
    /// <param name="key">Tells observations apart: what an earlier one with another key has left is not touched.</param>
    /// <exception cref="IOException">Another process is at it, or the folder holds something else.</exception>
    public static ObservationFolder Open(string resultPath, string key)
    {
        string full = Path.GetFullPath(resultPath);
        string folder = full + Suffix;
        if (Directory.Exists(folder) && Directory.EnumerateFileSystemEntries(folder).Any()
            && !File.Exists(Path.Combine(folder, LockName)))
        {
            throw new IOException(
                $"The folder '{folder}' is where the observation would grow, but it holds something else. Remove it, or choose "
                + "another file for the result.");
        }

        Directory.CreateDirectory(folder);
        string lockPath = Path.Combine(folder, LockName);
        try
        {
            return new ObservationFolder(
                full, key, new FileStream(lockPath, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None));
        }
        catch (IOException exception) when (File.Exists(lockPath))
        {
            throw new IOException($"Another process is observing into '{folder}': {exception.Message}", exception);
        }
    }

    /// <summary>A file of the folder.</summary>
    public string PathOf(string name) => Path.Combine(FolderPath, name);

    /// <summary>Reads what was saved last, if anything was.</summary>
    /// <exception cref="PruningFileException">It belongs to another observation, or is damaged.</exception>
    public ObservationState? Load()
    {
        if (!File.Exists(StatePath))
        {
            return null;
        }

        try
        {
            JsonElement root = StrictJson.Parse(File.ReadAllBytes(StatePath));
            return root.GetProperty("key").GetString() == _key
                ? new ObservationState(
                    root.GetProperty("layer").GetInt32(),
                    root.GetProperty("groups").GetInt32(),
                    ExpertStatisticsFile.Read(root.GetProperty("statistics")))
                : throw new PruningFileException(
                    $"'{FolderPath}' holds a part of another observation: another model, other data or other options. Go on with "
                    + "those, remove the folder, or choose another file for the result.",
                    StatePath);
        }
        catch (Exception exception) when (ExpertStatisticsFile.IsMisread(exception))
        {
            throw new PruningFileException(
                $"'{StatePath}' is damaged: {exception.Message} Remove the folder and begin anew.", StatePath, exception);
        }
    }

    /// <summary>Replaces what was saved before.</summary>
    public void Save(ObservationState state) => AtomicFile.Write(StatePath, stream =>
    {
        using Utf8JsonWriter writer = new(stream, ExpertStatisticsFile.Layout);
        writer.WriteStartObject();
        writer.WriteString("key", _key);
        writer.WriteNumber("layer", state.Layer);
        writer.WriteNumber("groups", state.GroupsDone);
        writer.WritePropertyName("statistics");
        ExpertStatisticsFile.Write(state.Statistics, writer);
        writer.WriteEndObject();
    });

    /// <summary>Removes the folder of an observation that is finished; there need not be one.</summary>
    public static void Remove(string resultPath)
    {
        string folder = Path.GetFullPath(resultPath) + Suffix;
        if (!Directory.Exists(folder))
        {
            return;
        }

        // The lock last: it tells that the folder is an observation's, should the process end meanwhile.
        string lockPath = Path.Combine(folder, LockName);
        if (File.Exists(lockPath))
        {
            foreach (string file in Directory.GetFiles(folder).Where(file => file != lockPath))
            {
                File.Delete(file);
            }

            File.Delete(lockPath);
        }

        if (!Directory.EnumerateFileSystemEntries(folder).Any())
        {
            Directory.Delete(folder);
        }
    }

    public void Dispose() => _lock.Dispose();
}

/// <summary>How far an observation has come.</summary>
/// <param name="Layer">The layer that is being observed, where they are observed one after the other; else 0.</param>
/// <param name="GroupsDone">The groups of sequences that it has read.</param>
/// <param name="Statistics">What was seen.</param>
internal sealed record ObservationState(int Layer, int GroupsDone, ExpertStatistics Statistics);
