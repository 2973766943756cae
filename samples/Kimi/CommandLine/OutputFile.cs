namespace Kimi.CommandLine;

/// <summary>A file that a command will write at its end.</summary>
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

        string probe = Path.Combine(folder, $".{Guid.NewGuid():N}.tmp");
        try
        {
            using FileStream stream = new(
                probe, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 1, FileOptions.DeleteOnClose);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new CommandException($"'{filePath}' cannot be written: {exception.Message}", exception);
        }
    }
}
