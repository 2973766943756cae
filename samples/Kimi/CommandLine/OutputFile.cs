namespace Kimi.CommandLine;

/// <summary>A file, or a folder of files, that a command will write at its end.</summary>
internal static class OutputFile
{
    /// <summary>Refuses what cannot be written: finding that out after minutes of computing would be a pity.</summary>
    /// <param name="option">The option that names the file, for messages.</param>
    /// <param name="filePath">The file.</param>
    /// <exception cref="CommandException">It cannot be written.</exception>
    public static void RequireWritable(string option, string filePath)
    {
        if (filePath.Length == 0 || Directory.Exists(filePath))
        {
            throw new CommandException($"{option} must name a file, but '{filePath}' does not.");
        }

        string folder = Path.GetDirectoryName(Path.GetFullPath(filePath))!;
        if (!Directory.Exists(folder))
        {
            throw new CommandException($"'{filePath}' cannot be written, because the folder '{folder}' does not exist.");
        }

        RequireRoomForFiles(filePath, folder);
    }

    /// <summary>The same for a folder that will hold a command's results; it need not be there yet.</summary>
    /// <param name="option">The option or argument that names the folder, for messages.</param>
    /// <param name="folderPath">The folder.</param>
    /// <exception cref="CommandException">It cannot be made, or nothing can be written into it.</exception>
    public static void RequireWritableFolder(string option, string folderPath)
    {
        string existing = Path.GetFullPath(folderPath);
        while (!Path.Exists(existing) && Path.GetDirectoryName(existing) is { } parent)
        {
            existing = parent;
        }

        if (File.Exists(existing))
        {
            throw new CommandException($"{option} must name a folder, but '{existing}' is a file.");
        }

        RequireRoomForFiles(folderPath, existing);
    }

    private static void RequireRoomForFiles(string target, string folder)
    {
        string probe = Path.Combine(folder, $".{Guid.NewGuid():N}.tmp");
        try
        {
            using FileStream stream = new(
                probe, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 1, FileOptions.DeleteOnClose);
        }
        catch (UnauthorizedAccessException exception)
        {
            throw new CommandException($"'{target}' cannot be written: you may not make files in '{folder}'.", exception);
        }
        catch (IOException exception)
        {
            throw new CommandException($"'{target}' cannot be written: {exception.Message}", exception);
        }
    }
}
