using System.Runtime.CompilerServices;
using System.Threading.Channels;
using KimiLinear.Configuration;
using KimiLinear.Model;
using KimiLinear.Sampling;
using KimiLinear.Tokenization;

namespace KimiLinear.Generation;

/// <summary>Generates replies token by token, each request by itself.</summary>
/// <remarks>
/// Safe for concurrent use: every request has its own sequence and its own thread, and their steps take turns on the model.
/// The model and the tokenizer stay the caller's; the model must outlive the requests.
/// </remarks>
public sealed class TextGenerator
{
    // How far a request may run ahead of its reader before it pauses.
    private const int ReadAheadTokens = 16;

    private readonly KimiLinearModel _model;
    private readonly KimiTokenizer _tokenizer;

    /// <summary>Initializes a new instance of the <see cref="TextGenerator"/> class.</summary>
    /// <param name="model">The model; it stays the caller's to dispose.</param>
    /// <param name="tokenizer">The tokenizer of that model.</param>
    /// <param name="defaults">What the model recommends, or <see langword="null"/> when nothing is known.</param>
    /// <exception cref="ArgumentNullException">The model or the tokenizer is <see langword="null"/>.</exception>
    public TextGenerator(KimiLinearModel model, KimiTokenizer tokenizer, GenerationConfig? defaults = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(tokenizer);

        _model = model;
        _tokenizer = tokenizer;
        DefaultSamplingOptions = SamplingOptions.FromGenerationConfig(defaults);
        DefaultStopTokenIds = Array.AsReadOnly(DefaultStopTokens.Of(model.Config, defaults, tokenizer));
    }

    /// <summary>Gets how tokens are drawn when a request does not say: as the model recommends.</summary>
    public SamplingOptions DefaultSamplingOptions { get; }

    /// <summary>
    /// Gets the ids that end a reply when a request does not say: the end-of-text ids of the model's files, and <c>[EOS]</c>,
    /// <c>[EOT]</c> and <c>&lt;|im_end|&gt;</c> where the tokenizer has them. Each once, in ascending order.
    /// </summary>
    public IReadOnlyList<int> DefaultStopTokenIds { get; }

    /// <summary>Continues a prompt, token by token.</summary>
    /// <param name="promptTokenIds">The prompt, at least one token; copied.</param>
    /// <param name="options">How to generate; <see langword="null"/> for the defaults.</param>
    /// <param name="cancellationToken">Ends the request before its next step.</param>
    /// <returns>
    /// The tokens as they are computed; the last one says why the reply ended. Computing begins with the first read, on a thread
    /// of its own, and pauses when the reader falls behind. Leaving early ends it. Each enumeration is a run of its own.
    /// </returns>
    /// <exception cref="ArgumentException">
    /// The prompt is empty or longer than the model's context; or there is a grammar, and no token ends the reply or the tokenizer
    /// lacks the markers of tool calls.
    /// </exception>
    /// <exception cref="ArgumentOutOfRangeException">The prompt or the logit bias names a token the model lacks.</exception>
    /// <exception cref="OperationCanceledException">The request was cancelled, thrown while reading.</exception>
    /// <exception cref="InvalidOperationException">
    /// The model's scores are not numbers, or every token is forbidden; thrown while reading, as is whatever a logits processor
    /// throws.
    /// </exception>
    /// <exception cref="ObjectDisposedException">The model was disposed, thrown while reading.</exception>
    public IAsyncEnumerable<GeneratedToken> GenerateAsync(
        ReadOnlyMemory<int> promptTokenIds,
        GenerationOptions? options = null,
        CancellationToken cancellationToken = default)
    {
        PromptGuard.Require(promptTokenIds.Span, _model.Config);
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

    private async IAsyncEnumerable<GeneratedToken> Stream(
        int[] promptTokenIds, GenerationOptions options, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var tokens = Channel.CreateBounded<GeneratedToken>(
            new BoundedChannelOptions(ReadAheadTokens) { SingleReader = true, SingleWriter = true });
        Task computation = Task.Factory.StartNew(
            () => Compute(promptTokenIds, options, tokens.Writer, cancellationToken),
            CancellationToken.None,
            TaskCreationOptions.LongRunning | TaskCreationOptions.DenyChildAttach,
            TaskScheduler.Default);

        try
        {
            ConfiguredCancelableAsyncEnumerable<GeneratedToken> read =
                tokens.Reader.ReadAllAsync(cancellationToken).ConfigureAwait(false);
            await foreach (GeneratedToken token in read)
            {
                // Tokens computed ahead are not handed out after a cancellation.
                cancellationToken.ThrowIfCancellationRequested();
                yield return token;
            }

            // Throws what ended the computation early.
            await computation.ConfigureAwait(false);
        }
        finally
        {
            // A closed channel stops the computation at its next token; its sequence is gone once it has ended.
            tokens.Writer.TryComplete();
            await computation.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private void Compute(
        int[] promptTokenIds,
        GenerationOptions options,
        ChannelWriter<GeneratedToken> tokens,
        CancellationToken cancellationToken)
    {
        try
        {
            using GenerationRun run = new(_model, _tokenizer, promptTokenIds, options);
            bool hasReader = true;
            while (hasReader && run.MoveNext(cancellationToken))
            {
                hasReader = Write(tokens, run.Current, cancellationToken);
            }
        }
        finally
        {
            tokens.TryComplete();
        }
    }

    // Blocks the request's own thread while the channel is full. Returns false once the reader has left.
    private static bool Write(ChannelWriter<GeneratedToken> tokens, GeneratedToken token, CancellationToken cancellationToken)
    {
        while (!tokens.TryWrite(token))
        {
            if (!tokens.WaitToWriteAsync(cancellationToken).AsTask().GetAwaiter().GetResult())
            {
                return false;
            }
        }

        return true;
    }
}
