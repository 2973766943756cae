using System.Runtime.CompilerServices;
using KimiLinear.Chat;
using KimiLinear.Configuration;
using KimiLinear.Generation;
using KimiLinear.Model;
using KimiLinear.Tokenization;
using KimiLinear.ToolCalls;
using Microsoft.Extensions.AI;

namespace KimiLinear.Extensions.AI;

/// <summary>An <see cref="IChatClient"/> over a Kimi-Linear model in this process.</summary>
/// <remarks>
/// Safe for concurrent use: requests run side by side, step by step in turns, and those above the limit wait in order.
/// Stateless: every request carries its whole conversation. Options that cannot be honoured are refused with
/// <see cref="NotSupportedException"/>, never dropped: JSON response formats, required tool modes, continuation tokens and
/// tools that are no functions; another model's name with <see cref="InvalidOperationException"/>. <c>Reasoning</c>,
/// <c>AllowBackgroundResponses</c> and <c>ConversationId</c> are ignored, as the contract allows. A raw representation factory may return <see cref="GenerationOptions"/>; what it sets wins, and sampling
/// options it sets replace all of the request's.
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

    /// <summary>The additional property of a reply that holds the seconds until the first token.</summary>
    public const string TimeToFirstTokenProperty = "time_to_first_token_seconds";

    /// <summary>The additional property of a reply that holds the prompt tokens read per second.</summary>
    public const string PrefillSpeedProperty = "prefill_tokens_per_second";

    /// <summary>The additional property of a reply that holds the tokens written per second after the first.</summary>
    public const string DecodeSpeedProperty = "decode_tokens_per_second";

    private readonly KimiLinearModel _model;
    private readonly KimiTokenizer _tokenizer;
    private readonly TextGenerator _generator;
    private readonly ChatClientMetadata _metadata;
    private readonly SemaphoreSlim _places;
    private readonly CancellationTokenSource _disposing = new();
    private readonly int? _defaultMaxTokens;
    private readonly bool _ownsModel;
    private int _disposed;

    /// <summary>Initializes a client over a model that stays the caller's to dispose.</summary>
    /// <param name="model">The model.</param>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="generationConfig">The model's own defaults; <see langword="null"/> for the library's.</param>
    /// <param name="options">Name and limits; the path and what concerns loading are not used.</param>
    /// <exception cref="ArgumentNullException">
    /// <paramref name="model"/> or <paramref name="tokenizer"/> is <see langword="null"/>.
    /// </exception>
    /// <exception cref="ArgumentOutOfRangeException">A limit is below 1.</exception>
    public KimiLinearChatClient(
        KimiLinearModel model,
        KimiTokenizer tokenizer,
        GenerationConfig? generationConfig = null,
        KimiLinearChatClientOptions? options = null)
        : this(model, tokenizer, generationConfig, options ?? new KimiLinearChatClientOptions(), ownsModel: false)
    {
    }

    private KimiLinearChatClient(
        KimiLinearModel model,
        KimiTokenizer tokenizer,
        GenerationConfig? generationConfig,
        KimiLinearChatClientOptions options,
        bool ownsModel)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(options.MaxConcurrentRequests);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(
            options.DefaultMaxOutputTokens ?? 1, nameof(options.DefaultMaxOutputTokens));
        _model = model;
        _tokenizer = tokenizer;
        _generator = new TextGenerator(model, tokenizer, generationConfig);
        _metadata = new ChatClientMetadata("kimilinear", providerUri: null, options.ModelId ?? model.Name);
        _places = new SemaphoreSlim(options.MaxConcurrentRequests);
        _defaultMaxTokens = options.DefaultMaxOutputTokens;
        _ownsModel = ownsModel;
    }

    private string ModelId => _metadata.DefaultModelId!;

    /// <summary>Loads a model and wraps it; the client owns the model.</summary>
    /// <param name="options">Where the model is and how to run it.</param>
    /// <param name="cancellationToken">Stops loading.</param>
    /// <returns>The client; the caller disposes it.</returns>
    /// <exception cref="ArgumentException">An option is out of range, or the path is missing.</exception>
    /// <exception cref="IOException">A file or a folder is missing.</exception>
    /// <exception cref="ModelFormatException">A file is damaged, or the model cannot be run.</exception>
    public static KimiLinearChatClient Load(KimiLinearChatClientOptions options, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (options.FindFaults().FirstOrDefault() is { } fault)
        {
            throw new ArgumentException(fault, nameof(options));
        }

        // The small files first: what they lack is found before a large model is read.
        KimiTokenizer tokenizer = KimiTokenizer.Load(options.ModelPath);
        GenerationConfig generationConfig = GenerationConfig.Load(options.ModelPath);
        ModelLoadOptions load = new() { Preload = options.Preload };
        KimiLinearModel model = KimiLinearModel.Load(
            options.ModelPath,
            options.ThreadCount is { } threads ? load with { ThreadCount = threads } : load,
            options.LoadProgress,
            cancellationToken);
        return new KimiLinearChatClient(model, tokenizer, generationConfig, options, ownsModel: true);
    }

    /// <summary>Loads the model in a folder or a GGUF file with default options; the client owns the model.</summary>
    /// <param name="modelPath">The model's folder, or a GGUF file.</param>
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
        ChatRequest request = Prepare(messages, options);
        // Checks the prompt now and computes once it is read.
        IAsyncEnumerable<GeneratedToken> reply = _generator.GenerateAsync(
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

        object[] services = [this, _metadata, _model, _tokenizer, _generator];
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

        _disposing.Cancel();
        if (_ownsModel)
        {
            // Waits for the step in progress; a request that comes after finds the model closed.
            _model.Dispose();
        }
    }

    /// <inheritdoc cref="Dispose"/>
    public ValueTask DisposeAsync()
    {
        Dispose();
        return ValueTask.CompletedTask;
    }

    private ChatRequest Prepare(IEnumerable<ChatMessage> messages, ChatOptions? options)
    {
        ChatOptionsMapping.RefuseUnsupported(options, ModelId);
        var given = options?.RawRepresentationFactory?.Invoke(this) as GenerationOptions;
        IReadOnlyList<ToolDeclaration> tools = ChatOptionsMapping.ToDeclarations(options);
        bool mayCall = options?.ToolMode is not NoneChatToolMode;
        GenerationOptions generation = ChatOptionsMapping.ToGenerationOptions(
            options, given, _generator.DefaultSamplingOptions, _defaultMaxTokens);
        List<ChatTurn> turns = ChatMessageMapping.ToTurns(messages, options?.Instructions);
        List<int> prompt = [];
        ChatTemplate.Encode(_tokenizer, CallNumbering.Renumber(turns), mayCall ? tools : [], addGenerationPrompt: true, prompt);
        return new ChatRequest(
            [.. prompt],
            generation with { IncludeSpecialTokens = generation.IncludeSpecialTokens || tools.Count > 0 },
            tools,
            turns,
            mayCall,
            StopAfterFirstCall: options?.AllowMultipleToolCalls == false);
    }

    private async IAsyncEnumerable<ChatResponseUpdate> StreamAsync(
        ChatRequest request,
        IAsyncEnumerable<GeneratedToken> reply,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _disposing.Token);
        await TranslateAsync(EnterAsync(stop.Token), cancellationToken).ConfigureAwait(false);
        try
        {
            ReplyUpdates updates = new(ModelId, new CallIds(request.History));
            ReplyReader reader = new(request, updates);
            IAsyncEnumerator<GeneratedToken> tokens = reply.GetAsyncEnumerator(stop.Token);
            await using (tokens.ConfigureAwait(false))
            {
                while (!reader.IsComplete
                    && await TranslateAsync(tokens.MoveNextAsync().AsTask(), cancellationToken).ConfigureAwait(false))
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
        finally
        {
            _places.Release();
        }
    }

    private async Task<bool> EnterAsync(CancellationToken cancellationToken)
    {
        await _places.WaitAsync(cancellationToken).ConfigureAwait(false);
        return true;
    }

    // A caller knows its own token; the end of the client is another matter.
    private async Task<bool> TranslateAsync(Task<bool> work, CancellationToken cancellationToken)
    {
        try
        {
            return await work.ConfigureAwait(false);
        }
        catch (Exception exception) when (
            exception is OperationCanceledException || (exception is ObjectDisposedException && _disposed != 0))
        {
            cancellationToken.ThrowIfCancellationRequested();
            throw new ObjectDisposedException(nameof(KimiLinearChatClient), "The client was disposed while the request ran.");
        }
    }
}
