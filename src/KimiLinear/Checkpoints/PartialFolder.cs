using System.Globalization;

namespace KimiLinear.Checkpoints;

/// <summary>The folder in which a model grows that is being written, until it is renamed to its target.</summary>
/// <remarks>
/// What lies under the target's name is whole at any moment, also when the process is killed. The one thing that a kill in the
/// very last step leaves there is the journal, which <see cref="IsComplete"/> knows and removes.
/// </remarks>
internal sealed class PartialFolder
{
    private const string Suffix = ".partial";

    // For the index, the configuration and the files copied along: a large vocabulary takes 3 MB.
    private const long CompanionBytes = 64L << 20;

    private readonly string _what;

    /// <param name="target">The folder to make.</param>
    /// <param name="what">What messages call the model that is written.</param>
    public PartialFolder(string target, string what)
    {
        TargetPath = Path.TrimEndingDirectorySeparator(Path.GetFullPath(target));
        PartialPath = TargetPath + Suffix;
        _what = what;
    }

    public string TargetPath { get; }

    public string PartialPath { get; }

    /// <summary>Tells whether an earlier call was killed after it had given the finished folder its name; ends what it left.</summary>
    public bool IsComplete(string fingerprint)
    {
        bool isComplete = Directory.Exists(TargetPath) && ShardJournal.IsOf(TargetPath, fingerprint);
        if (isComplete)
        {
            ShardJournal.Delete(TargetPath);
        }

        return isComplete;
    }

    /// <summary>Refuses a target that is there already, unless <see cref="IsComplete"/> has to look at it.</summary>
    public void RequireAbsentTarget()
    {
        if (File.Exists(TargetPath) || (Directory.Exists(TargetPath) && !ShardJournal.Exists(TargetPath)))
        {
            throw TargetExists();
        }
    }

    /// <summary>Refuses to begin what the disk has no room for; files of an earlier call count as room.</summary>
    public void RequireSpace(long byteCount, Func<string, long> freeSpace)
    {
        long present = Directory.Exists(PartialPath)
            ? new DirectoryInfo(PartialPath).EnumerateFiles().Sum(file => file.Length)
            : 0;
        long needed = byteCount + CompanionBytes - present;
        string existing = PartialPath;
        while (!Directory.Exists(existing))
        {
            existing = Path.GetDirectoryName(existing)!;
        }

        long free = freeSpace(existing);
        if (needed > free)
        {
            throw new IOException(string.Create(
                CultureInfo.InvariantCulture,
                $"The {_what} needs {needed / 1e9:F1} GB more on the disk of '{existing}', but only {free / 1e9:F1} GB are "
                + $"free. Make room, or choose a target on another disk."));
        }
    }

    /// <summary>Opens the folder, or makes it; what an earlier call finished is kept if it was the same undertaking.</summary>
    /// <exception cref="IOException">Another process is at it, or the folder holds something else.</exception>
    public ShardJournal Open(string fingerprint, IReadOnlyList<JournalFile> files)
    {
        RequireNoTarget();
        bool isNew = !Directory.Exists(PartialPath) || !Directory.EnumerateFileSystemEntries(PartialPath).Any();
        if (!isNew && !ShardJournal.Exists(PartialPath))
        {
            throw new IOException(
                $"The folder '{PartialPath}' is where the {_what} would grow, but it holds something else. Remove it, or "
                + "choose another target.");
        }

        Directory.CreateDirectory(PartialPath);
        ShardJournal journal = ShardJournal.Open(PartialPath, fingerprint, files);
        try
        {
            HashSet<string> kept = [.. files.Select(file => file.FileName).Where(journal.IsFinished)];
            foreach (string file in Directory.GetFiles(PartialPath))
            {
                // What is small is written again in any case, and may be another model's.
                if (!kept.Contains(Path.GetFileName(file)) && !ShardJournal.IsJournal(file))
                {
                    File.Delete(file);
                }
            }

            return journal;
        }
        catch
        {
            journal.Dispose();
            throw;
        }
    }

    /// <summary>Gives the finished folder its name.</summary>
    public void Complete()
    {
        RequireNoTarget();
        Directory.Move(PartialPath, TargetPath);
        ShardJournal.Delete(TargetPath);
    }

    /// <summary>Removes what was begun, when there is nothing to go on with.</summary>
    public void Discard() => Directory.Delete(PartialPath, recursive: true);

    private void RequireNoTarget()
    {
        if (File.Exists(TargetPath) || Directory.Exists(TargetPath))
        {
            throw TargetExists();
        }
    }

    private IOException TargetExists() =>
        new($"The target '{TargetPath}' exists already. Remove it, or choose another one.");
}
