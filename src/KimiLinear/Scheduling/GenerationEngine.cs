using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;
using KimiLinear.Configuration;
using KimiLinear.Generation;
using KimiLinear.Model;
using KimiLinear.Sampling;
using KimiLinear.Tokenization;

namespace KimiLinear.Scheduling;

/// <summary>Computes the replies of many requests side by side on one model.</summary>
/// <remarks>
/// Safe for concurrent use. One thread runs the steps; each takes the next token of every request that writes and pieces of the
/// prompts of those that begin (continuous batching). What prompts have in common with earlier ones is resumed and not read
/// again. A reply does not depend on what else runs, apart from the rounding that docs/numerics.md describes.
/// </remarks>
public sealed class GenerationEngine : IDisposable, IAsyncDisposable
{
    /// <summary>
    /// The name of the meter and of the activity source that engines report to, with names as in the OpenTelemetry GenAI
    /// conventions: time to first token, time per token, waiting, requests per step, tokens read, resumed and generated, memory.
    /// The scope of a meter is its engine, so that a listener can tell engines apart. What a listener throws reaches no request
    /// and costs no other measurement; <see cref="EngineOptions.TelemetryFaultHandler"/> is told of it.
    /// </summary>
    public const string TelemetryName = "KimiLinear";

    private readonly KimiLinearModel _model;
    private readonly KimiTokenizer _tokenizer;
    private readonly EngineOptions _options;
    private readonly EngineMetrics _metrics;
    private readonly EngineSpans _spans;
    private readonly RequestQueue _queue;
    private readonly EngineLoop _loop;
    private readonly Thread _thread;
    private readonly int _maxContextTokens;
    private int _disposed;

    /// <summary>Initializes a new instance of the <see cref="GenerationEngine"/> class and starts its thread.</summary>
    /// <param name="model">The model, which stays the caller's to dispose, after the engine.</param>
    /// <param name="tokenizer">The tokenizer of that model.</param>
    /// <param name="defaults">What the model recommends, or <see langword="null"/> when nothing is known.</param>
    /// <param name="options">How the model is shared; <see langword="null"/> for the defaults.</param>
    /// <exception cref="ArgumentNullException">The model or the tokenizer is <see langword="null"/>.</exception>
    /// <exception cref="ArgumentException">
    /// <see cref="EngineOptions.MaxContextTokens"/> is more than the model reads, or <see cref="EngineOptions.MemoryBytes"/> less
    /// than a single token needs.
    /// </exception>
    /// <exception cref="IOException"><see cref="EngineOptions.PrefixFolder"/> cannot be made, or no file in it.</exception>
    public GenerationEngine(
        KimiLinearModel model, KimiTokenizer tokenizer, GenerationConfig? defaults = null, EngineOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(tokenizer);
        _model = model;
        _tokenizer = tokenizer;
        _options = options ?? new EngineOptions();
        _options.RequireContextOf(model.Config);
        _maxContextTokens = _options.MaxContextTokens ?? model.Config.MaxContextTokens;
        DefaultSamplingOptions = SamplingOptions.FromGenerationConfig(defaults);
        DefaultStopTokenIds = Array.AsReadOnly(DefaultStopTokens.Of(model.Config, defaults, tokenizer));
        _queue = new RequestQueue(_options);
        TelemetryFaults faults = new(_options.TelemetryFaultHandler);
        _spans = new EngineSpans(model.Name, faults);
        _metrics = new EngineMetrics(model.Name, this, faults);
        try
        {
            _loop = new EngineLoop(model, _options, _queue, _metrics, _maxContextTokens);
        }
        catch
        {
            _metrics.Dispose();
            _queue.Dispose();
            throw;
        }

        _metrics.Observe(GetStatistics);
        _thread = new Thread(_loop.Run) { IsBackground = true, Name = "KimiLinear engine" };
        _thread.Start();
    }

    /// <summary>Gets how tokens are drawn when a request does not say: as the model recommends.</summary>
    public SamplingOptions DefaultSamplingOptions { get; }

    /// <summary>Gets the ids that end a reply when a request does not say, see <see cref="TextGenerator.DefaultStopTokenIds"/>.</summary>
    public IReadOnlyList<int> DefaultStopTokenIds { get; }

    /// <summary>Gets the most tokens of a request, prompt and reply together.</summary>
    public int MaxContextTokens => _maxContextTokens;

    /// <summary>Continues a prompt, token by token, beside other requests.</summary>
    /// <param name="promptTokenIds">The prompt, at least one token; copied.</param>
    /// <param name="options">
    /// How to generate; <see langword="null"/> for the defaults. <see cref="GenerationOptions.PrefillChunkTokens"/> is not used.
    /// </param>
    /// <param name="cancellationToken">Ends the request: the reader stops at once, and its memory is free after one step.</param>
    /// <returns>
    /// The tokens as they are computed; the last one says why the reply ended. The request takes its turn from the first read on.
    /// Leaving early ends it. Each enumeration is a request of its own.
    /// </returns>
    /// <exception cref="ArgumentException">
    /// The prompt is empty, or longer than the context; or there is a grammar, and no token ends the reply or the tokenizer lacks
    /// the markers of tool calls.
    /// </exception>
    /// <exception cref="ArgumentOutOfRangeException">The prompt or the logit bias names a token the model lacks.</exception>
    /// <exception cref="InsufficientMemoryException">The prompt alone needs more memory than the engine may use.</exception>
    /// <exception cref="EngineOverloadedException">Too many requests wait, thrown while reading.</exception>
    /// <exception cref="OperationCanceledException">The request was cancelled, thrown while reading.</exception>
    /// <exception cref="InvalidOperationException">
    /// The model's scores are not numbers, or every token is forbidden; thrown while reading, as is whatever a logits processor
    /// throws.
    /// </exception>
    /// <exception cref="ObjectDisposedException">The engine was stopped or disposed, or its model was.</exception>
    public IAsyncEnumerable<GeneratedToken> GenerateAsync(
        ReadOnlyMemory<int> promptTokenIds,
        GenerationOptions? options = null,
        CancellationToken cancellationToken = default)
    {
        ObjectDisposedException.ThrowIf(_disposed != 0, this);
        PromptGuard.Require(promptTokenIds.Span, _model.Config);
        RequireRoom(promptTokenIds);
        options ??= new GenerationOptions();
        SamplingOptions sampling = options.SamplingOptions ?? DefaultSamplingOptions;
        sampling.RequireTokenIdsBelow(_model.Config.VocabularySize);
        options.Grammar?.RequireTokens(_tokenizer, options.StopTokenIds ?? DefaultStopTokenIds);
        GenerationOptions complete = options with
        {
            SamplingOptions = sampling,
            StopTokenIds = options.StopTokenIds ?? DefaultStopTokenIds,
        };
        return Stream(promptTokenIds.ToArray(), complete, cancellationToken);
    }

    /// <summary>Gets what the engine does now and has done so far.</summary>
    /// <returns>Figures that were true a moment ago, not all at the same one.</returns>
    public EngineStatistics GetStatistics() => new()
    {
        RunningCount = _loop.RunningCount,
        PausedCount = _loop.PausedCount,
        WaitingCount = _loop.WaitingCount,
        CompletedCount = _loop.Counters.Completed,
        CancelledCount = _loop.Counters.Cancelled,
        FailedCount = _loop.Counters.Failed,
        RefusedCount = _queue.RefusedCount,
        PreemptedCount = _loop.Counters.Preempted,
        StepCount = _loop.Counters.Steps,
        PromptTokenCount = _loop.Counters.PromptTokens,
        CachedPromptTokenCount = _loop.Counters.CachedPromptTokens,
        GeneratedTokenCount = _loop.Counters.GeneratedTokens,
        GuessedTokenCount = _loop.Counters.GuessedTokens,
        RightlyGuessedTokenCount = _loop.Counters.RightTokens,
        PrefixCount = _loop.PrefixCount,
        StoredPrefixCount = _loop.StoredPrefixCount,
        StoredPrefixBytes = _loop.StoredPrefixBytes,
        MemoryBytes = _loop.Memory.UsedBytes,
        MaxMemoryBytes = _loop.Memory.MaxBytes,
    };

    /// <summary>Completes when no request runs or waits.</summary>
    /// <param name="cancellationToken">Stops waiting, and nothing else.</param>
    /// <returns>A task that completes then.</returns>
    /// <exception cref="OperationCanceledException">Waiting was cancelled.</exception>
    public Task WhenIdleAsync(CancellationToken cancellationToken = default) => _queue.WhenIdleAsync().WaitAsync(cancellationToken);

    /// <summary>Takes no more requests and waits for those that run or wait to end; afterwards the engine is to be disposed.</summary>
    /// <param name="cancellationToken">Stops waiting; requests still there end when the engine is disposed.</param>
    /// <returns>A task that completes when all have ended.</returns>
    /// <exception cref="OperationCanceledException">Waiting was cancelled.</exception>
    public Task StopAsync(CancellationToken cancellationToken = default)
    {
        _queue.Refuse();
        return WhenIdleAsync(cancellationToken);
    }

    /// <summary>Ends all requests after the step in progress; their readers get <see cref="ObjectDisposedException"/>.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
        {
            return;
        }

        _queue.Close();
        if (Thread.CurrentThread != _thread)
        {
            _thread.Join();
            _queue.Dispose();
        }

        _metrics.Dispose();
    }

    /// <inheritdoc cref="Dispose"/>
    public async ValueTask DisposeAsync() => await Task.Run(Dispose).ConfigureAwait(false);

    private async IAsyncEnumerable<GeneratedToken> Stream(
        int[] prompt, GenerationOptions options, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        Activity? span = _spans.Start();
        try
        {
            IAsyncEnumerator<GeneratedToken> tokens = Read(prompt, options, cancellationToken).GetAsyncEnumerator(cancellationToken);
            await using (tokens.ConfigureAwait(false))
            {
                while (await MoveNextAsync(tokens, span).ConfigureAwait(false))
                {
                    if (tokens.Current.Timings is { } timings)
                    {
                        _metrics.CountReply(timings);
                        EngineSpans.Describe(span, timings);
                    }

                    yield return tokens.Current;
                }
            }
        }
        finally
        {
            _spans.Stop(span);
        }
    }

    private static async ValueTask<bool> MoveNextAsync(IAsyncEnumerator<GeneratedToken> tokens, Activity? span)
    {
        try
        {
            return await tokens.MoveNextAsync().ConfigureAwait(false);
        }
        catch (Exception exception)
        {
            EngineSpans.Fail(span, exception);
            throw;
        }
    }

    private async IAsyncEnumerable<GeneratedToken> Read(
        int[] prompt, GenerationOptions options, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        Reply reply = new(prompt, options, _tokenizer, _model.Config.VocabularySize);
        EngineRequest request = new(prompt, options, reply, _options.ReadAheadTokens, _queue.Wake);
        _queue.Add(request);
        CancellationTokenRegistration registration = cancellationToken.UnsafeRegister(
            static state => ((EngineRequest)state!).Abandon(), request);
        await using (registration.ConfigureAwait(false))
        {
            try
            {
                await foreach (GeneratedToken token in request.ReadAllAsync(cancellationToken).ConfigureAwait(false))
                {
                    yield return token;
                }
            }
            finally
            {
                request.Abandon();
            }
        }
    }

    private void RequireRoom(ReadOnlyMemory<int> promptTokenIds)
    {
        int promptLength = promptTokenIds.Length;
        if (promptLength > _maxContextTokens)
        {
            throw new ArgumentException(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"The prompt has {promptLength:N0} tokens, but a request of this engine has at most {_maxContextTokens:N0}. "
                    + $"Shorten it or summarise earlier turns."),
                nameof(promptTokenIds));
        }

        long bytes = _loop.Memory.BytesOf(promptLength + 1);
        if (bytes > _loop.Memory.MaxBytes)
        {
            throw new InsufficientMemoryException(string.Create(
                CultureInfo.InvariantCulture,
                $"The prompt of {promptLength:N0} tokens needs {bytes:N0} bytes, but the engine may hold "
                + $"{_loop.Memory.MaxBytes:N0}. Shorten it, or raise {nameof(EngineOptions)}.{nameof(EngineOptions.MemoryBytes)}."));
        }
    }
}
