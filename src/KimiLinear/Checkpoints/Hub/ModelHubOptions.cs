namespace KimiLinear.Checkpoints;

/// <summary>Where models are fetched from and kept.</summary>
/// <remarks>Whatever is not set here is read from the environment variables that other programs for the hub use.</remarks>
public sealed record ModelHubOptions
{
    /// <summary>Gets or sets the folder of the cache, which may be shared with Python's huggingface_hub.</summary>
    /// <value>
    /// The default, <see langword="null"/>, is <c>HF_HUB_CACHE</c>, else <c>HUGGINGFACE_HUB_CACHE</c>, else <c>HF_HOME/hub</c>,
    /// else <c>~/.cache/huggingface/hub</c>.
    /// </value>
    public string? CacheFolder { get; set; }

    /// <summary>Gets or sets the address of the hub.</summary>
    /// <value>The default, <see langword="null"/>, is <c>HF_ENDPOINT</c>, else <c>https://huggingface.co</c>.</value>
    public Uri? Endpoint { get; set; }

    /// <summary>Gets or sets the access token; it is sent to the hub's own host and to no other.</summary>
    /// <value>
    /// The default, <see langword="null"/>, is <c>HF_TOKEN</c>, else the content of the file <c>HF_TOKEN_PATH</c>, else of
    /// <c>HF_HOME/token</c>. Empty for none.
    /// </value>
    public string? Token { get; set; }

    /// <summary>Gets or sets whether only the cache is used and the network left alone.</summary>
    /// <value>The default is <see langword="false"/>. The environment variable <c>HF_HUB_OFFLINE=1</c> forbids the network too.</value>
    public bool Offline { get; set; }

    /// <summary>Reads an environment variable.</summary>
    internal Func<string, string?> Variable { get; init; } = Environment.GetEnvironmentVariable;

    /// <summary>Waits before a request is made again.</summary>
    internal Func<TimeSpan, CancellationToken, Task> Delay { get; init; } = Task.Delay;

    /// <summary>How long a server may send nothing before the connection counts as lost.</summary>
    internal TimeSpan StallTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>How seldom progress is reported, at most.</summary>
    internal TimeSpan ReportInterval { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>The bytes that may still be written to the disk of a folder; <see langword="null"/> when that is unknown.</summary>
    internal Func<string, long?> FreeBytes { get; init; } = DiskSpace.Free;

    /// <summary>Makes a symbolic link: its path, then its target.</summary>
    internal Action<string, string> CreateLink { get; init; } = (path, target) => File.CreateSymbolicLink(path, target);

    /// <summary>Describes the options, without the token.</summary>
    /// <returns>The options in one line, for logs.</returns>
    public override string ToString() =>
        $"{nameof(ModelHubOptions)} {{ {nameof(CacheFolder)} = {CacheFolder}, {nameof(Endpoint)} = {Endpoint}, "
        + $"{nameof(Token)} = {(string.IsNullOrEmpty(Token) ? "none" : "given")}, {nameof(Offline)} = {Offline} }}";
}
