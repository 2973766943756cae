using System.Globalization;

namespace KimiLinear.Model;

/// <summary>The folder in which a packed model grows, until it is renamed to its target.</summary>
internal sealed class PackFolder
{
    private const string Suffix = ".partial";
    private const string TemporaryPattern = "*.tmp";
    private const string WeightPattern = "*.safetensors";

    // For the index, the configuration and the files copied along: a large vocabulary takes 3 MB.
    private const long CompanionBytes = 64L << 20;

    public PackFolder(string target)
    {
        TargetPath = Path.TrimEndingDirectorySeparator(Path.GetFullPath(target));
        PartialPath = TargetPath + Suffix;
    }

    public string TargetPath { get; }

    public string PartialPath { get; }

    /// <summary>Refuses a target that is there already.</summary>
    public void RequireAbsentTarget()
    {
        if (File.Exists(TargetPath) || Directory.Exists(TargetPath))
        {
            throw new IOException($"The target '{TargetPath}' exists already. Remove it, or choose another one.");
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
                $"The packed model needs {needed / 1e9:F1} GB more on the disk of '{existing}', but only {free / 1e9:F1} GB are "
                + $"free. Make room, or choose a target on another disk."));
        }
    }

    /// <summary>Opens the folder, or makes it; what an earlier call finished is kept if it was the same undertaking.</summary>
    /// <exception cref="IOException">Another process is at it, or the folder holds something else.</exception>
    public PackJournal Open(PackPlan plan)
    {
        bool isNew = !Directory.Exists(PartialPath) || !Directory.EnumerateFileSystemEntries(PartialPath).Any();
        if (!isNew && !PackJournal.Exists(PartialPath))
        {
            throw new IOException(
                $"The folder '{PartialPath}' is where the packed model would grow, but it holds something else. Remove it, or "
                + "choose another target.");
        }

        Directory.CreateDirectory(PartialPath);
        PackJournal journal = PackJournal.Open(PartialPath, plan);
        try
        {
            Delete(TemporaryPattern);
            string[] kept = [.. plan.Shards.Where(journal.IsFinished).Select(shard => shard.FileName)];
            foreach (string file in Directory.GetFiles(PartialPath, WeightPattern))
            {
                if (!kept.Contains(Path.GetFileName(file)))
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
        RequireAbsentTarget();
        Directory.Move(PartialPath, TargetPath);
        PackJournal.Delete(TargetPath);
    }

    /// <summary>Removes what was begun, when there is nothing to go on with.</summary>
    public void Discard() => Directory.Delete(PartialPath, recursive: true);

    private void Delete(string pattern)
    {
        foreach (string file in Directory.GetFiles(PartialPath, pattern))
        {
            File.Delete(file);
        }
    }
}
