using KimiLinear.Backends;
using KimiLinear.Checkpoints;
using KimiLinear.Model;
using KimiLinear.Scheduling;
using KimiLinear.Tensors;

namespace KimiLinear.Extensions.AI;

/// <summary>How a chat client loads its model and serves requests.</summary>
public sealed class KimiLinearChatClientOptions
{
    /// <summary>The usual name of the configuration section that holds these options; messages about them begin with it.</summary>
    public const string DefaultSectionName = "KimiLinear";

    /// <summary>
    /// Gets or sets the folder that holds the model: <c>config.json</c>, the tokenizer and the weights; or a GGUF file, which
    /// holds all of them. Of a model split into several GGUF files it is the first. Where nothing of that name is, it may be a
    /// name on the Hugging Face hub: <c>org/name</c>, <c>org/name@revision</c> or <c>org/name:file.gguf</c>.
    /// </summary>
    /// <value>Required.</value>
    public string ModelPath { get; set; } = "";

    /// <summary>
    /// Gets or sets whether loading downloads a model that is given by its name and is not in the hub's cache. Checking the
    /// options never uses the network.
    /// </summary>
    /// <value>The default is <see langword="true"/>.</value>
    public bool AllowDownload { get; set; } = true;

    /// <summary>Gets or sets where models given by name are fetched from and kept.</summary>
    /// <value>The default is what the environment says.</value>
    public ModelHubOptions Hub { get; set; } = new();

    /// <summary>Gets or sets what becomes of an option that cannot be honoured and may be left out.</summary>
    /// <value>The default is <see cref="UnsupportedOptionBehavior.Log"/>.</value>
    public UnsupportedOptionBehavior UnsupportedOptionBehavior { get; set; }

    /// <summary>
    /// Gets or sets whether the arguments of every call fit the function's schema, names and form of calls included; where a call
    /// is required they do in any case. Otherwise they are what the model writes.
    /// </summary>
    /// <value>The default is <see langword="true"/>.</value>
    public bool ConstrainToolCalls { get; set; } = true;

    /// <summary>
    /// Gets or sets a value indicating whether the JSON Schema format <c>time</c> is written without an offset, as
    /// <see cref="TimeOnly"/> reads it, in replies and in arguments of calls. JSON Schema asks for the offset, which
    /// <see cref="TimeOnly"/> refuses.
    /// </summary>
    /// <value>The default is <see langword="true"/>: <c>12:30:00</c>.</value>
    public bool UseLocalTimes { get; set; } = true;

    /// <summary>Gets or sets who is told how far a download has come; not read from configuration.</summary>
    public IProgress<ModelDownloadProgress>? DownloadProgress { get; set; }

    /// <summary>Gets or sets the name that responses carry and that <c>ChatOptions.ModelId</c> is compared with.</summary>
    /// <value>The default is the name of the model's folder, or of its GGUF file.</value>
    public string? ModelId { get; set; }

    /// <summary>Gets or sets the number of threads that compute a step, from 1 to 1,024.</summary>
    /// <value>The default is the number of processors, at most 64.</value>
    public int? ThreadCount { get; set; }

    /// <summary>
    /// Gets or sets what computes: <c>auto</c>, <c>cpu</c>, <c>cuda:0</c> for the first NVIDIA GPU, or another device as
    /// <see cref="ComputeDevice.Parse"/> reads it.
    /// </summary>
    /// <value>The default, <c>auto</c>, takes the fastest that can run the model.</value>
    public string Device { get; set; } = "auto";

    /// <summary>Gets or sets whether loading reads all weights through once.</summary>
    /// <value>The default is <see cref="WeightPreload.Auto"/>.</value>
    public WeightPreload Preload { get; set; } = WeightPreload.Auto;

    /// <summary>
    /// Gets or sets how exactly activations are multiplied with quantised weights. Replies do not depend on each other with any
    /// value; with 4-bit weights and dozens of requests at once, <see cref="ActivationPrecision.Int8"/> is the fastest.
    /// </summary>
    /// <value>The default is <see cref="ActivationPrecision.Auto"/>.</value>
    public ActivationPrecision Activations { get; set; }

    /// <summary>Gets or sets when an application's host loads the model; without a host it is loaded on first use.</summary>
    /// <value>The default is <see cref="ModelWarmUp.Background"/>.</value>
    public ModelWarmUp WarmUp { get; set; } = ModelWarmUp.Background;

    /// <summary>Gets or sets how many requests are computed side by side; further ones wait.</summary>
    /// <value>The default is 64; at least 1.</value>
    public int MaxConcurrentRequests { get; set; } = 64;

    /// <summary>
    /// Gets or sets how many requests may wait for a place; further ones get <see cref="EngineOverloadedException"/>, which says
    /// when to try again.
    /// </summary>
    /// <value>The default is 1,024; at least 0.</value>
    public int MaxQueuedRequests { get; set; } = 1024;

    /// <summary>Gets or sets the most tokens of a request, conversation and reply together.</summary>
    /// <value>The default is <see langword="null"/>: the model's context. At least 1, and no more than that.</value>
    public int? MaxContextTokens { get; set; }

    /// <summary>Gets or sets the bytes that conversations may hold, those kept for their next turn included.</summary>
    /// <value>
    /// The default is <see langword="null"/>: half of the memory that the model leaves. At least what a single token needs, which
    /// is known once the model is loaded.
    /// </value>
    public long? SequenceMemoryBytes { get; set; }

    /// <summary>Gets or sets whether what conversations have in common, earlier turns above all, is read once and resumed.</summary>
    /// <value>The default is <see langword="true"/>.</value>
    public bool ReusePrefixes { get; set; } = true;

    /// <summary>Gets or sets the folder for conversations that memory has no room for, so that their next turn need not read them again.</summary>
    /// <value>The default is <see langword="null"/>: there is none. See <see cref="EngineOptions.PrefixFolder"/>.</value>
    public string? PrefixFolder { get; set; }

    /// <summary>Gets or sets how many tokens of a reply are guessed at most from the text so far and checked in one step.</summary>
    /// <value>The default is 8; 0 for none. Replies are the same. See <see cref="EngineOptions.MaxDraftTokens"/>.</value>
    public int MaxDraftTokens { get; set; } = 8;

    /// <summary>Gets or sets the limit on generated tokens of requests that state none.</summary>
    /// <value>
    /// The default is <see langword="null"/>: what the model recommends (<c>max_new_tokens</c> of its
    /// <c>generation_config.json</c>) is the limit, or else its context. At least 1.
    /// </value>
    public int? DefaultMaxOutputTokens { get; set; }

    /// <summary>Gets or sets who is told how far loading has come; not read from configuration.</summary>
    public IProgress<ModelLoadProgress>? LoadProgress { get; set; }

    /// <summary>How an engine serves requests as these options say.</summary>
    internal EngineOptions ToEngineOptions() => new()
    {
        MaxSequences = MaxConcurrentRequests,
        MaxQueued = MaxQueuedRequests,
        MaxContextTokens = MaxContextTokens,
        MemoryBytes = SequenceMemoryBytes,
        ReusePrefixes = ReusePrefixes,
        PrefixFolder = PrefixFolder,
        MaxDraftTokens = MaxDraftTokens,
    };

    /// <summary>Finds what is wrong with the options.</summary>
    /// <returns>One sentence for each fault; empty when there is none.</returns>
    internal IEnumerable<string> FindFaults() => Faults().Select(FormattableString.Invariant);

    private IEnumerable<FormattableString> Faults()
    {
        if (ModelSource.FindFault(this) is { } fault)
        {
            yield return $"{fault}";
        }

        if (Hub.Endpoint is { } address && !(address.IsAbsoluteUri && address.Scheme is ("http" or "https")))
        {
            yield return $"{nameof(Hub)}:{nameof(Hub.Endpoint)} must be like https://huggingface.co, but is '{address}'.";
        }

        if (ThreadCount is < 1 or > 1024)
        {
            yield return $"{nameof(ThreadCount)} must be between 1 and 1024, but is {ThreadCount}.";
        }

        if (!ComputeDevice.TryParse(Device, out _))
        {
            yield return $"{nameof(Device)} must be auto, cpu, cuda:N, torch:cpu or torch:cuda:N with N from 0, but is '{Device}'.";
        }

        if (!Enum.IsDefined(Preload))
        {
            yield return $"{nameof(Preload)} must be Auto, Always or Never, but is {Preload}.";
        }

        if (!Enum.IsDefined(Activations))
        {
            yield return $"{nameof(Activations)} must be Auto, Int8, Int16 or Float32, but is {Activations}.";
        }

        if (!Enum.IsDefined(WarmUp))
        {
            yield return $"{nameof(WarmUp)} must be Background, BeforeStart or OnFirstUse, but is {WarmUp}.";
        }

        if (!Enum.IsDefined(UnsupportedOptionBehavior))
        {
            yield return $"{nameof(UnsupportedOptionBehavior)} must be Log, Throw or Ignore, but is {UnsupportedOptionBehavior}.";
        }

        if (MaxConcurrentRequests < 1)
        {
            yield return $"{nameof(MaxConcurrentRequests)} must be at least 1, but is {MaxConcurrentRequests}.";
        }

        if (MaxQueuedRequests < 0)
        {
            yield return $"{nameof(MaxQueuedRequests)} must be at least 0, but is {MaxQueuedRequests}.";
        }

        if (MaxContextTokens < 1)
        {
            yield return $"{nameof(MaxContextTokens)} must be at least 1, but is {MaxContextTokens}.";
        }

        if (SequenceMemoryBytes < 1)
        {
            yield return $"{nameof(SequenceMemoryBytes)} must be at least 1, but is {SequenceMemoryBytes}.";
        }

        if (MaxDraftTokens < 0)
        {
            yield return $"{nameof(MaxDraftTokens)} must be at least 0, but is {MaxDraftTokens}.";
        }

        if (DefaultMaxOutputTokens < 1)
        {
            yield return $"{nameof(DefaultMaxOutputTokens)} must be at least 1, but is {DefaultMaxOutputTokens}.";
        }
    }
}
