namespace KimiLinear.Checkpoints;

/// <summary>Reads a file of the cache through and compares it with its hash.</summary>
internal static class BlobCheck
{
    public static async Task<bool> IsWholeAsync(
        string path, HubFile file, DownloadMeter meter, CancellationToken cancellationToken)
    {
        FileStream stream = new(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0, FileOptions.Asynchronous);
        await using (stream.ConfigureAwait(false))
        {
            using BlobHash hash = new(file.Hash, stream.Length);
            long position = 0;
            await hash.AppendAsync(stream, Read, cancellationToken).ConfigureAwait(false);
            meter.Complete(file);
            return hash.MatchesAndRestart();

            void Read(int count)
            {
                position += count;
                meter.Move(file, position, count);
            }
        }
    }
}
