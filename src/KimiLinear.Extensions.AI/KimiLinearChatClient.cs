using System.Runtime.CompilerServices;
using KimiLinear.Backends;
using KimiLinear.Chat;
using KimiLinear.Configuration;
using KimiLinear.Generation;
using KimiLinear.Model;
using KimiLinear.Sampling;
using KimiLinear.Scheduling;
using KimiLinear.Tokenization;
using KimiLinear.ToolCalls;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.Logging;

namespace KimiLinear.Extensions.AI;

/// <summary>An <see cref="IChatClient"/> over a Kimi-Linear model in this process.</summary>
/// <remarks>
/// Safe for concurrent use: requests are computed side by side in shared steps, fairly among callers, and those above the limit
/// wait. Stateless: every request carries its whole conversation; of one that goes on only the new turns are read.
/// JSON response formats are guaranteed: the reply fits the schema unless a limit cuts it. Tool modes are enforced, and arguments
/// fit their schemas. What of a request cannot be honoured is refused or logged, as
/// <see cref="KimiLinearChatClientOptions.UnsupportedOptionBehavior"/> says; another model's name and continuation tokens are
/// always refused. Where a request offers no tool, or its tool mode is none, the model cannot begin a call.
/// <c>ConversationId</c> is ignored, as the contract allows. A raw representation factory may return
/// <see cref="GenerationOptions"/>; what it sets wins, and sampling options it sets replace all of the request's.
/// </remarks>
public sealed class KimiLinearChatClient : IChatClient, IAsyncDisposable
{
    /// <summary>
    /// The additional property of a request that sets min-p, from 0 to 1: a number, or text or JSON that holds one. A value that
    /// holds none is ignored, as keys that are not known are.
    /// </summary>
    public const string MinPProperty = "min_p";

    /// <summary>The additional property of a request that sets the repetition penalty, above 0; 1 is none. Read like min-p.</summary>
    public const string RepetitionPenaltyProperty = "repetition_penalty";

    /// <summary>The additional property of a request that maps token ids to what is added to their scores.</summary>
    public const string LogitBiasProperty = "logit_bias";

    /// <summary>
    /// The additional property of a request that says whose it is, as text: callers get equal shares of the time, however many
    /// requests each has. Without it each request is a caller of its own.
    /// </summary>
    public const string CallerProperty = "caller";

    /// <summary>
    /// The additional property of a tool, and of a request for its response format, that says with <see langword="false"/> that
    /// the schema is a wish: what of it cannot be enforced is logged and never refused, whatever
    /// <see cref="KimiLinearChatClientOptions.UnsupportedOptionBehavior"/> says. What can be is enforced all the same.
    /// </summary>
    public const string StrictProperty = "strict";

    /// <summary>The additional property of a reply that holds the seconds until the first token.</summary>
    public const string TimeToFirstTokenProperty = "time_to_first_token_seconds";

    /// <summary>The additional property of a reply that holds the prompt tokens read per second.</summary>
    public const string PrefillSpeedProperty = "prefill_tokens_per_second";

    /// <summary>The additional property of a reply that holds the tokens written per second after the first.</summary>
    public const string DecodeSpeedProperty = "decode_tokens_per_second";

    private readonly KimiLinearModel _model;
    private readonly KimiTokenizer _tokenizer;
    private readonly GenerationEngine _engine;
    private readonly ChatClientMetadata _metadata;
    private readonly int? _defaultMaxTokens;
    private readonly bool _constrainsToolCalls;
    private readonly JsonGrammarOptions _schemaOptions;
    private readonly IReadOnlyList<int> _callTokenIds;
    private readonly UnsupportedOptions _unsupported;
    private readonly bool _ownsModel;
    private int _disposed;

    /// <summary>Initializes a client over a model that stays the caller's to dispose.</summary>
    /// <param name="model">The model.</param>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="generationConfig">The model's own defaults; <see langword="null"/> for the library's.</param>
    /// <param name="options">Name and limits; the path and what concerns loading are not used.</param>
    /// <param name="logger">
    /// Told what of a request could not be honoured, and of the first listener of telemetry that throws; <see langword="null"/>
    /// for nobody. What it throws itself is of no consequence.
    /// </param>
    /// <exception cref="ArgumentNullException">
    /// <paramref name="model"/> or <paramref name="tokenizer"/> is <see langword="null"/>.
    /// </exception>
    /// <exception cref="ArgumentOutOfRangeException">A limit is below 1.</exception>
    /// <exception cref="ArgumentException">
    /// <see cref="KimiLinearChatClientOptions.MaxContextTokens"/> is more than the model reads, or
    /// <see cref="KimiLinearChatClientOptions.SequenceMemoryBytes"/> less than a single token needs.
    /// </exception>
    /// <exception cref="IOException"><see cref="KimiLinearChatClientOptions.PrefixFolder"/> cannot be used.</exception>
    public KimiLinearChatClient(
        KimiLinearModel model,
        KimiTokenizer tokenizer,
        GenerationConfig? generationConfig = null,
        KimiLinearChatClientOptions? options = null,
        ILogger<KimiLinearChatClient>? logger = null)
        : this(model, tokenizer, generationConfig, options ?? new KimiLinearChatClientOptions(), logger, ownsModel: false)
    {
    }

    private KimiLinearChatClient(
        KimiLinearModel model,
        KimiTokenizer tokenizer,
        GenerationConfig? generationConfig,
        KimiLinearChatClientOptions options,
        ILogger? logger,
        bool ownsModel)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(
            options.DefaultMaxOutputTokens ?? 1, nameof(options.DefaultMaxOutputTokens));
        _model = model;
        _tokenizer = tokenizer;
        ILogger? quiet = QuietLogger.Around(logger);
        _engine = new GenerationEngine(model, tokenizer, generationConfig, options.ToEngineOptions().Into(quiet));
        _metadata = new ChatClientMetadata("kimilinear", providerUri: null, options.ModelId ?? model.Name);
        _defaultMaxTokens = options.DefaultMaxOutputTokens ?? generationConfig?.MaxNewTokens;
        _constrainsToolCalls = options.ConstrainToolCalls;
        _schemaOptions = new JsonGrammarOptions { UseLocalTimes = options.UseLocalTimes };
        _callTokenIds = ToolCallMarkers.FindOpeningTokenIds(tokenizer);
        _unsupported = new UnsupportedOptions(options.UnsupportedOptionBehavior, quiet);
        _ownsModel = ownsModel;
    }

    internal KimiLinearModel Model => _model;

    private string ModelId => _metadata.DefaultModelId!;

    /// <summary>
    /// Loads a model and wraps it; the client owns the model. A model that is given by its name on the hub is downloaded first if
    /// it is not in the cache and the options allow it.
    /// </summary>
    /// <param name="options">Where the model is and how to run it.</param>
    /// <param name="cancellationToken">Stops loading.</param>
    /// <returns>The client; the caller disposes it.</returns>
    /// <exception cref="ArgumentException">
    /// An option is out of range, or the path is missing; or the context is longer than the model's, which is found before the
    /// weights are read; or the memory for conversations is less than a single token needs.
    /// </exception>
    /// <exception cref="IOException">
    /// A file or a folder is missing, a model could not be downloaded, or <see cref="KimiLinearChatClientOptions.PrefixFolder"/>
    /// cannot be used, which is found first.
    /// </exception>
    /// <exception cref="ModelFormatException">A file is damaged, or the model cannot be run.</exception>
    /// <exception cref="DeviceUnavailableException">The device that the options name cannot be used.</exception>
    public static KimiLinearChatClient Load(KimiLinearChatClientOptions options, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        return Load(options, options.LoadProgress, logger: null, cancellationToken);
    }

    /// <summary>Loads a model and tells of it as the caller says, not as the options do.</summary>
    internal static KimiLinearChatClient Load(
        KimiLinearChatClientOptions options,
        IProgress<ModelLoadProgress>? progress,
        ILogger? logger,
        CancellationToken cancellationToken)
    {
        if (options.FindFaults().FirstOrDefault() is { } fault)
        {
            throw new ArgumentException(fault, nameof(options));
        }

        EngineOptions engineOptions = options.ToEngineOptions();
        engineOptions.PreparePrefixFolder();
        string modelPath = ModelSource.Find(options, cancellationToken);
        engineOptions.RequireContextOf(KimiLinearModel.LoadConfig(modelPath));
        // The small files first: what they lack is found before a large model is read.
        KimiTokenizer tokenizer = KimiTokenizer.Load(modelPath);
        GenerationConfig generationConfig = GenerationConfig.Load(modelPath);
        ModelLoadOptions load = new()
        {
            Preload = options.Preload,
            Device = ComputeDevice.Parse(options.Device),
            Activations = options.Activations,
        };
        KimiLinearModel model = KimiLinearModel.Load(
            modelPath,
            options.ThreadCount is { } threads ? load with { ThreadCount = threads } : load,
            progress,
            cancellationToken);
        try
        {
            return new KimiLinearChatClient(model, tokenizer, generationConfig, options, logger, ownsModel: true);
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    /// <summary>Loads the model in a folder or a GGUF file, or of a name on the hub, with default options; the client owns it.</summary>
    /// <param name="modelPath">The model's folder, a GGUF file, or a name such as <c>org/name</c>.</param>
    /// <inheritdoc cref="Load(KimiLinearChatClientOptions, CancellationToken)"/>
    public static KimiLinearChatClient Load(string modelPath) => Load(new KimiLinearChatClientOptions { ModelPath = modelPath });

    /// <inheritdoc/>
    public Task<ChatResponse> GetResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default) =>
        GetStreamingResponseAsync(messages, options, cancellationToken).ToChatResponseAsync(cancellationToken);

    /// <inheritdoc/>
    public IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(messages);
        ObjectDisposedException.ThrowIf(_disposed != 0, this);
        ChatRequest request;
        try
        {
            request = Prepare(messages, options, cancellationToken);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            return EndCancelledAsync(cancellationToken);
        }

        // Checks the prompt now and computes once it is read.
        IAsyncEnumerable<GeneratedToken> reply = _engine.GenerateAsync(
            request.PromptTokenIds, request.GenerationOptions, CancellationToken.None);
        return StreamAsync(request, reply, cancellationToken);
    }

    /// <inheritdoc/>
    public object? GetService(Type serviceType, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        if (serviceKey is not null)
        {
            return null;
        }

        object[] services = [this, _metadata, _model, _tokenizer, _engine];
        return services.FirstOrDefault(serviceType.IsInstanceOfType);
    }

    /// <summary>
    /// Ends the requests in progress before their next step, and disposes the model if the client loaded it. Whoever reads a
    /// reply gets <see cref="ObjectDisposedException"/>; a reply that nobody reads on holds nothing up.
    /// </summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
        {
            return;
        }

        // Waits for the step in progress.
        _engine.Dispose();
        if (_ownsModel)
        {
            _model.Dispose();
        }
    }

    /// <inheritdoc cref="Dispose"/>
    public async ValueTask DisposeAsync() => await Task.Run(Dispose).ConfigureAwait(false);

    private ChatRequest Prepare(IEnumerable<ChatMessage> messages, ChatOptions? options, CancellationToken cancellationToken)
    {
        _unsupported.Check(options, ModelId);
        var given = options?.RawRepresentationFactory?.Invoke(this) as GenerationOptions;
        IReadOnlyList<ToolDeclaration> tools = ChatOptionsMapping.ToDeclarations(options);
        bool mayCall = options?.ToolMode is not NoneChatToolMode;
        IReadOnlyList<ToolDeclaration> declared = mayCall ? tools : [];
        GenerationOptions generation = ChatOptionsMapping.ToGenerationOptions(
            options, given, _engine.DefaultSamplingOptions, _defaultMaxTokens);
        List<ChatTurn> turns = ChatMessageMapping.ToTurns(messages, options?.Instructions, ReplyGrammars.Instruction(options));
        ReplyGrammar? grammar = generation.Grammar
            ?? ReplyGrammars.Create(options, declared, turns, _constrainsToolCalls, _schemaOptions, cancellationToken);
        _unsupported.Check(grammar, options);
        List<int> prompt = [];
        ChatTemplate.Encode(_tokenizer, CallNumbering.Renumber(turns), declared, addGenerationPrompt: true, prompt);
        return new ChatRequest(
            [.. prompt],
            generation with
            {
                Grammar = grammar,
                // Nobody could answer a call; a grammar says itself whether there may be one.
                ForbiddenTokenIds = generation.ForbiddenTokenIds
                    ?? (declared.Count == 0 && grammar is null ? _callTokenIds : null),
            },
            tools,
            turns,
            mayCall,
            StopAfterFirstCall: grammar is null && options?.AllowMultipleToolCalls == false);
    }

    // Where a request is cancelled as its schemas are compiled, it shows where it does later on: as the reply is read.
    private static async IAsyncEnumerable<ChatResponseUpdate> EndCancelledAsync(
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await Task.CompletedTask.ConfigureAwait(false);
        cancellationToken.ThrowIfCancellationRequested();
        yield break;
    }

    private async IAsyncEnumerable<ChatResponseUpdate> StreamAsync(
        ChatRequest request,
        IAsyncEnumerable<GeneratedToken> reply,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        ReplyUpdates updates = new(ModelId, new CallIds(request.History));
        ReplyReader reader = new(request, _tokenizer, updates);
        IAsyncEnumerator<GeneratedToken> tokens = reply.GetAsyncEnumerator(cancellationToken);
        await using (tokens.ConfigureAwait(false))
        {
            while (!reader.IsComplete && await MoveNextAsync(tokens, cancellationToken).ConfigureAwait(false))
            {
                if (reader.Read(tokens.Current) is { Length: > 0 } text)
                {
                    yield return updates.Text(text);
                }
            }
        }

        if (reader.Complete() is { Length: > 0 } rest)
        {
            yield return updates.Text(rest);
        }

        yield return updates.Last(request.PromptTokenIds.Length, reader.TokenCount, reader.FinishReason, reader.Timings);
    }

    // A caller knows its own token and this client; the engine's end is the client's.
    private async ValueTask<bool> MoveNextAsync(IAsyncEnumerator<GeneratedToken> tokens, CancellationToken cancellationToken)
    {
        try
        {
            return await tokens.MoveNextAsync().ConfigureAwait(false);
        }
        catch (ObjectDisposedException) when (_disposed != 0)
        {
            cancellationToken.ThrowIfCancellationRequested();
            throw new ObjectDisposedException(nameof(KimiLinearChatClient), "The client was disposed while the request ran.");
        }
    }
}
