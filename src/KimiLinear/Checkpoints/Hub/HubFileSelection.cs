using KimiLinear.Configuration;

namespace KimiLinear.Checkpoints;

/// <summary>Which files of a repository make the model, and nothing besides.</summary>
/// <param name="Small">Configuration and tokenizer, without <c>config.json</c>.</param>
/// <param name="Weights">The weights; empty while only the index would tell which they are.</param>
/// <param name="Index">The index of weights in several files; <see langword="null"/> when there is none.</param>
/// <param name="Config"><c>config.json</c>; <see langword="null"/> for a GGUF file, which holds all of it.</param>
internal sealed record HubFileSelection(
    IReadOnlyList<HubFile> Small, IReadOnlyList<HubFile> Weights, HubFile? Index, HubFile? Config)
{
    private const string SafetensorsExtension = ".safetensors";
    private const string SingleFileName = "model.safetensors";

    private static readonly string[] SmallFiles =
    [
        "generation_config.json", "tiktoken.model", "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt",
    ];

    private static readonly string[] SmallPrefixes = ["tokenizer", "chat_template"];

    /// <summary>
    /// All of them in the order in which they may appear in a snapshot: it is not taken for a whole model before the last weights
    /// are there, and everything else is there by then.
    /// </summary>
    public IReadOnlyList<HubFile> Files =>
        [.. Small, .. Index is null ? [] : new[] { Index }, .. Config is null ? [] : new[] { Config }, .. Weights];

    /// <summary>Chooses from what a repository has.</summary>
    /// <exception cref="ModelHubException">There is no model, or several to choose from.</exception>
    public static HubFileSelection Choose(HubListing listing, HubModelName name)
    {
        string[] top = [.. listing.Files.Keys.Where(path => !path.Contains('/', StringComparison.Ordinal)).Order(StringComparer.Ordinal)];
        string[] safetensors = [.. top.Where(path => path.EndsWith(SafetensorsExtension, StringComparison.Ordinal))];
        if (name.File is not null || safetensors.Length == 0)
        {
            return ChooseGguf(listing, name);
        }

        bool hasIndex = listing.Files.ContainsKey(CheckpointIndex.FileName);
        string[] weights = hasIndex ? []
            : safetensors.Contains(SingleFileName) ? [SingleFileName]
            : safetensors.Length == 1 ? safetensors
            : throw new ModelHubException(
                $"'{name}' has {safetensors.Length} safetensors files, but no {CheckpointIndex.FileName} that says how they belong "
                + "together. It is not a model this library can run.");
        return new HubFileSelection(
            [.. top.Where(IsSmall).Select(path => Get(listing, name, path))],
            [.. weights.Select(path => Get(listing, name, path))],
            hasIndex ? Get(listing, name, CheckpointIndex.FileName) : null,
            Get(listing, name, KimiLinearConfigReader.FileName));
    }

    /// <summary>Adds the weights that the index names.</summary>
    /// <exception cref="ModelHubException">The repository lacks some.</exception>
    public HubFileSelection WithWeights(CheckpointIndex index, HubListing listing, HubModelName name) =>
        this with { Weights = [.. index.FileNames().Select(path => Get(listing, name, path))] };

    private static HubFileSelection ChooseGguf(HubListing listing, HubModelName name)
    {
        string[] models =
        [
            .. listing.Files.Keys
                .Where(path => path.EndsWith(GgufFile.Extension, StringComparison.OrdinalIgnoreCase))
                .Where(path => !GgufParts.IsLaterPart(path))
                .Order(StringComparer.Ordinal),
        ];
        string file = name.File ?? models switch
        {
            [string only] => only,
            [] => throw new ModelHubException($"'{name}' holds no model that can be run: neither safetensors nor GGUF files."),
            _ => throw CachedSnapshot.Ambiguous(name.ToString(), models),
        };
        return listing.Files.ContainsKey(file)
            ? new HubFileSelection([], [.. GgufParts.Names(file).Select(part => Get(listing, name, part))], Index: null, Config: null)
            : throw new ModelHubException(
                $"The repository '{name.Repository}' has no file '{file}'. "
                + (models.Length == 0 ? "It has no GGUF files." : $"Its GGUF files are {string.Join(", ", models)}."));
    }

    private static bool IsSmall(string path) =>
        SmallFiles.Contains(path)
        || (path.EndsWith(".tiktoken", StringComparison.Ordinal) || SmallPrefixes.Any(
            prefix => path.StartsWith(prefix, StringComparison.Ordinal)));

    private static HubFile Get(HubListing listing, HubModelName name, string path) =>
        listing.Files.TryGetValue(path, out HubFile? file)
            ? file ?? throw new ModelHubException(
                $"The hub does not say how long '{path}' of '{name}' is and what it hashes to. Check HF_ENDPOINT.")
            : throw new ModelHubException(
                $"'{name}' is not complete: it has no file '{path}'. It may be still in the making, or it is no Kimi-Linear model.");
}
