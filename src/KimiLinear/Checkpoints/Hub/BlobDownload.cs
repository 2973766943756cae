using System.Globalization;
using System.Net;
using System.Net.Http.Headers;

namespace KimiLinear.Checkpoints;

/// <summary>Fetches the files of one commit into the cache, each once, whoever else wants it.</summary>
internal sealed class BlobDownload(
    HubClient client, CachedRepository repository, HubModelName name, string commit, ModelHubOptions options)
{
    private const int BufferBytes = 1 << 18;

    /// <summary>Fetches a file, from where an earlier call stopped; at once if it is there.</summary>
    /// <exception cref="ModelHubException">It cannot be fetched, or is not what the hub says it is.</exception>
    public async Task FetchAsync(HubFile file, DownloadMeter meter, CancellationToken cancellationToken)
    {
        if (!repository.Holds(commit, file))
        {
            await FetchAloneAsync(file, meter, cancellationToken).ConfigureAwait(false);
        }

        meter.Complete(file);
    }

    private async Task FetchAloneAsync(HubFile file, DownloadMeter meter, CancellationToken cancellationToken)
    {
        string path = repository.PartialPath(file);
        using IDisposable held = await BlobLock.AcquireAsync(
            repository.LockPath(file),
            () => meter.Move(file, CachedRepository.LengthOf(path)),
            cancellationToken).ConfigureAwait(false);
        // Whoever had the lock before may have fetched it.
        if (!repository.Holds(commit, file))
        {
            await TransferAsync(file, path, meter, cancellationToken).ConfigureAwait(false);
            repository.Keep(file);
        }
    }

    private async Task TransferAsync(HubFile file, string path, DownloadMeter meter, CancellationToken cancellationToken)
    {
        using PartialBlob partial = await PartialBlob.OpenAsync(path, file, cancellationToken).ConfigureAwait(false);
        bool continues = partial.Length > 0;
        meter.Move(file, partial.Length);
        await ReceiveAsync(file, partial, meter, cancellationToken).ConfigureAwait(false);
        bool isRight = partial.Finish();
        if (!isRight && continues)
        {
            // What an earlier call left may have been wrong; the whole must be tried once.
            meter.Move(file, 0);
            await ReceiveAsync(file, partial, meter, cancellationToken).ConfigureAwait(false);
            isRight = partial.Finish();
        }

        if (!isRight)
        {
            throw new ModelHubException(
                $"'{file.Path}' of '{name}' was fetched whole, but its content does not have the hash {file.Hash} that the hub "
                + "lists. It was thrown away. Fetch it again; if that does not help, a proxy or a mirror changes it.");
        }
    }

    private Task<bool> ReceiveAsync(HubFile file, PartialBlob partial, DownloadMeter meter, CancellationToken cancellationToken)
    {
        HubRetry retry = new(options);
        retry.Advance(partial.Length);
        return retry.RunAsync(
            async () =>
            {
                if (partial.Length < file.Size)
                {
                    await AttemptAsync(file, partial, meter, retry, cancellationToken).ConfigureAwait(false);
                }

                return true;
            },
            cancellationToken);
    }

    private async Task AttemptAsync(
        HubFile file, PartialBlob partial, DownloadMeter meter, HubRetry retry, CancellationToken cancellationToken)
    {
        using HttpResponseMessage response = await OpenAsync(file, partial, cancellationToken).ConfigureAwait(false);
        Uri uri = response.RequestMessage!.RequestUri!;
        BeginAt(response, file, partial);
        Stream content = await response.Content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false);
        byte[] buffer = new byte[BufferBytes];
        int count;
        while ((count = await client.ReadAsync(content, buffer, uri, name, cancellationToken).ConfigureAwait(false)) > 0)
        {
            if (partial.Length + count > file.Size)
            {
                partial.Clear();
                throw WrongLength(file, "more");
            }

            await partial.AppendAsync(buffer.AsMemory(0, count), cancellationToken).ConfigureAwait(false);
            meter.Move(file, partial.Length, count);
            retry.Advance(partial.Length);
        }

        if (partial.Length < file.Size)
        {
            throw HubFaults.OfNetwork(uri, name, new IOException(string.Create(
                CultureInfo.InvariantCulture, $"It ended after {partial.Length:N0} of {file.Size:N0} bytes.")));
        }
    }

    private async Task<HttpResponseMessage> OpenAsync(HubFile file, PartialBlob partial, CancellationToken cancellationToken)
    {
        try
        {
            return await client.OpenAsync(name, commit, file.Path, partial.Length, cancellationToken).ConfigureAwait(false);
        }
        catch (ModelHubException exception) when (exception.StatusCode == HttpStatusCode.RequestedRangeNotSatisfiable)
        {
            partial.Clear();
            throw;
        }
    }

    // A server may continue where asked to, or send the whole file all the same. Nothing is thrown away for any other answer.
    private void BeginAt(HttpResponseMessage response, HubFile file, PartialBlob partial)
    {
        HttpContentHeaders headers = response.Content.Headers;
        bool continues = response.StatusCode == HttpStatusCode.PartialContent;
        if (continues && (headers.ContentRange?.From != partial.Length || headers.ContentRange.Length is long all && all != file.Size))
        {
            partial.Clear();
            throw new ModelHubException(
                $"'{file.Path}' of '{name}' was asked for from a certain byte on, but the server sent '{headers.ContentRange}'.")
            {
                IsTransient = true,
            };
        }

        long expected = continues ? file.Size - partial.Length : file.Size;
        if (headers.ContentLength is long length && length != expected)
        {
            string sent = length.ToString("N0", CultureInfo.InvariantCulture);
            string after = continues ? $" after {partial.Length.ToString("N0", CultureInfo.InvariantCulture)}" : "";
            throw WrongLength(file, sent + after);
        }

        if (!continues && partial.Length > 0)
        {
            partial.Clear();
        }
    }

    private ModelHubException WrongLength(HubFile file, string sent) => new(
        string.Create(
            CultureInfo.InvariantCulture,
            $"'{file.Path}' of '{name}' must have {file.Size:N0} bytes by the hub's listing, but the server sends {sent}. ")
        + "Check whether a proxy, a mirror or a login page answers in place of the hub.");
}
