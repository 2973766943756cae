using KimiLinear.Checkpoints;
using KimiLinear.Configuration;

namespace KimiLinear.Extensions.AI;

/// <summary>Where the model of a client lies.</summary>
internal static class ModelSource
{
    /// <summary>Says what is wrong with the path or name, as far as this machine alone can tell.</summary>
    public static string? FindFault(KimiLinearChatClientOptions options)
    {
        string path = options.ModelPath;
        const string name = nameof(KimiLinearChatClientOptions.ModelPath);
        if (string.IsNullOrWhiteSpace(path))
        {
            return $"{name} is not set. Set it to the folder of a Kimi-Linear model, to a GGUF file, or to a name on the hub.";
        }

        if (Directory.Exists(path) || IsGgufFile(path))
        {
            return null;
        }

        if (File.Exists(path) || !ModelHub.IsName(path))
        {
            return $"{name} must name an existing folder or GGUF file, or a model on the hub as org/name does, but '{path}' "
                + $"{(File.Exists(path) ? "is another file" : "does not exist and is no such name")}.";
        }

        return options.AllowDownload && !options.Hub.Offline ? null : FindFaultInCache(options);
    }

    /// <summary>Finds the model, or downloads it.</summary>
    public static string Find(KimiLinearChatClientOptions options, CancellationToken cancellationToken)
    {
        ModelHub hub = new(options.Hub);
        return options.AllowDownload
            ? hub.ResolveAsync(options.ModelPath, options.DownloadProgress, cancellationToken).GetAwaiter().GetResult()
            : hub.Find(options.ModelPath);
    }

    private static string? FindFaultInCache(KimiLinearChatClientOptions options)
    {
        try
        {
            _ = new ModelHub(options.Hub).Find(options.ModelPath);
            return null;
        }
        catch (Exception exception) when (exception is ModelHubException or ModelFormatException)
        {
            return $"{nameof(KimiLinearChatClientOptions.ModelPath)}: {exception.Message}";
        }
    }

    private static bool IsGgufFile(string path) =>
        path.EndsWith(".gguf", StringComparison.OrdinalIgnoreCase) && File.Exists(path);
}
