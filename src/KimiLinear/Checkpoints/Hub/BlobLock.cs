namespace KimiLinear.Checkpoints;

/// <summary>
/// Keeps a blob to one writer, in this process or another, Python's included: a file that is held open alone. The system lets go
/// of it with the process; the file stays, since removing it would race.
/// </summary>
internal static class BlobLock
{
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(200);

    // How "held by another" is reported: EAGAIN on Linux and on macOS, sharing and lock violations on Windows.
    private static readonly int[] HeldCodes = [11, 35, unchecked((int)0x80070020), unchecked((int)0x80070021)];

    /// <summary>Waits for the lock.</summary>
    /// <param name="path">The lock file.</param>
    /// <param name="waiting">Called now and then while another has it.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The lock, which disposing releases.</returns>
    public static async Task<IDisposable> AcquireAsync(string path, Action waiting, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        while (true)
        {
            try
            {
                return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 0);
            }
            catch (IOException exception) when (HeldCodes.Contains(exception.HResult))
            {
                waiting();
                await Task.Delay(Poll, cancellationToken).ConfigureAwait(false);
            }
        }
    }
}
