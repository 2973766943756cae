using System.Globalization;

namespace KimiLinear.Checkpoints;

/// <summary>How much room is left for a download.</summary>
internal static class DiskSpace
{
    /// <summary>The bytes that may still be written to the disk of a folder; <see langword="null"/> when the system does not tell.</summary>
    public static long? Free(string folder)
    {
        try
        {
            return new DriveInfo(OperatingSystem.IsWindows() ? Path.GetPathRoot(folder)! : folder).AvailableFreeSpace;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException)
        {
            // A share of the network, for example.
            return null;
        }
    }

    /// <summary>Refuses a download that does not fit.</summary>
    /// <exception cref="ModelHubException">It does not.</exception>
    public static void Require(ModelHubOptions options, HubModelName name, string folder, long bytes)
    {
        if (options.FreeBytes(folder) is long free && free < bytes)
        {
            throw new ModelHubException(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"The download of '{name}' needs {bytes:N0} bytes more, but the disk of the cache '{folder}' has {free:N0} ")
                + "left. "
                + "Make room, or let HF_HUB_CACHE name a folder on another disk.");
        }
    }
}
