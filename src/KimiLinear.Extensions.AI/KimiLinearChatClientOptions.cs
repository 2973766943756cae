using KimiLinear.Model;

namespace KimiLinear.Extensions.AI;

/// <summary>How a chat client loads its model and serves requests.</summary>
public sealed class KimiLinearChatClientOptions
{
    /// <summary>The usual name of the configuration section that holds these options; messages about them begin with it.</summary>
    public const string DefaultSectionName = "KimiLinear";

    /// <summary>
    /// Gets or sets the folder that holds the model: <c>config.json</c>, the tokenizer and the weights; or a GGUF file, which
    /// holds all of them. Of a model split into several GGUF files it is the first.
    /// </summary>
    /// <value>Required.</value>
    public string ModelPath { get; set; } = "";

    /// <summary>Gets or sets the name that responses carry and that <c>ChatOptions.ModelId</c> is compared with.</summary>
    /// <value>The default is the name of the model's folder, or of its GGUF file.</value>
    public string? ModelId { get; set; }

    /// <summary>Gets or sets the number of threads that compute a step, from 1 to 1,024.</summary>
    /// <value>The default is the number of processors, at most 64.</value>
    public int? ThreadCount { get; set; }

    /// <summary>Gets or sets whether loading reads all weights through once.</summary>
    /// <value>The default is <see cref="WeightPreload.Auto"/>.</value>
    public WeightPreload Preload { get; set; } = WeightPreload.Auto;

    /// <summary>Gets or sets how many requests run at once; further ones wait in the order in which they came.</summary>
    /// <value>The default is 16; at least 1.</value>
    public int MaxConcurrentRequests { get; set; } = 16;

    /// <summary>Gets or sets the limit on generated tokens of requests that state none.</summary>
    /// <value>The default is <see langword="null"/>: the model's context is the limit. At least 1.</value>
    public int? DefaultMaxOutputTokens { get; set; }

    /// <summary>Gets or sets who is told how far loading has come; not read from configuration.</summary>
    public IProgress<ModelLoadProgress>? LoadProgress { get; set; }

    /// <summary>Finds what is wrong with the options.</summary>
    /// <returns>One sentence for each fault; empty when there is none.</returns>
    internal IEnumerable<string> FindFaults()
    {
        if (string.IsNullOrWhiteSpace(ModelPath))
        {
            yield return $"{nameof(ModelPath)} is not set. Set it to the folder of a Kimi-Linear model, or to a GGUF file.";
        }
        else if (!Directory.Exists(ModelPath) && !IsGgufFile(ModelPath))
        {
            yield return $"{nameof(ModelPath)} must name an existing folder or GGUF file, but '{ModelPath}' "
                + $"{(File.Exists(ModelPath) ? "is another file" : "does not exist")}.";
        }

        if (ThreadCount is < 1 or > 1024)
        {
            yield return $"{nameof(ThreadCount)} must be between 1 and 1024, but is {ThreadCount}.";
        }

        if (!Enum.IsDefined(Preload))
        {
            yield return $"{nameof(Preload)} must be Auto, Always or Never, but is {Preload}.";
        }

        if (MaxConcurrentRequests < 1)
        {
            yield return $"{nameof(MaxConcurrentRequests)} must be at least 1, but is {MaxConcurrentRequests}.";
        }

        if (DefaultMaxOutputTokens < 1)
        {
            yield return $"{nameof(DefaultMaxOutputTokens)} must be at least 1, but is {DefaultMaxOutputTokens}.";
        }
    }

    private static bool IsGgufFile(string path) =>
        path.EndsWith(".gguf", StringComparison.OrdinalIgnoreCase) && File.Exists(path);
}
