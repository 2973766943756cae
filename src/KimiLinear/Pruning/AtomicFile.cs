namespace KimiLinear.Pruning;

/// <summary>Writes files that are there whole or not at all, whenever the process is killed or the disk is full.</summary>
internal static class AtomicFile
{
    private const string TemporarySuffix = ".tmp";

    /// <summary>Writes a file beside the target, brings it to the disk, and gives it the target's name.</summary>
    public static void Write(string path, Action<Stream> write)
    {
        string temporary = path + TemporarySuffix;
        try
        {
            using (FileStream stream = new(temporary, FileMode.Create, FileAccess.Write, FileShare.None))
            {
                write(stream);
                stream.Flush(flushToDisk: true);
            }

            File.Move(temporary, path, overwrite: true);
        }
        catch
        {
            File.Delete(temporary);
            throw;
        }
    }
}
