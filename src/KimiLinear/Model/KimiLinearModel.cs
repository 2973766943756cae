using System.Globalization;
using KimiLinear.Backends;
using KimiLinear.Caching;
using KimiLinear.Checkpoints;
using KimiLinear.Configuration;
using KimiLinear.Layers;
using KimiLinear.Tensors;

namespace KimiLinear.Model;

/// <summary>A loaded Kimi-Linear model.</summary>
/// <remarks>
/// Safe for concurrent use: steps of different sequences take turns. The weights stay where the files are mapped, unless
/// they were converted; disposing the model releases them and the memory of its sequences.
/// </remarks>
public sealed partial class KimiLinearModel : IDisposable
{
    // A caller of a single sequence does not say whether it reads a prompt or what a reply wrote. From this many tokens on a call is
    // bound by arithmetic, as prompts are.
    private const int PromptTokens = 32;

    private readonly Lock _step = new();
    private readonly Checkpoint _checkpoint;
    private readonly ComputeBackend _backend;
    private readonly Network _network;
    private readonly Workspace _workspace;
    private readonly SequenceStatePool _pool;
    private readonly ForwardContext _context;
    private readonly Action _operators;
    private bool _disposed;

    internal KimiLinearModel(
        string name, Checkpoint checkpoint, DeviceChoice device, Network network, LatentPrecision latentCache)
    {
        ComputeBackend backend = device.Backend;
        Name = name;
        DeviceReason = device.Reason;
        _checkpoint = checkpoint;
        _backend = backend;
        _network = network;
        _workspace = Workspace.For(backend, network.Layers);
        _pool = new SequenceStatePool(backend, new CacheLayout(backend.Config, latentCache));
        _context = new ForwardContext(backend, _pool.Storage, _workspace);
        _operators = () => _network.Forward(_context);
    }

    /// <summary>Gets the model's name: that of its folder or of its GGUF file, or "random".</summary>
    public string Name { get; }

    /// <summary>Gets the model's configuration.</summary>
    public KimiLinearConfig Config => _backend.Config;

    /// <summary>Gets a description of what computes, for people.</summary>
    public string DeviceDescription => _backend.Description;

    /// <summary>
    /// Gets why it computes there, for people: what was asked for, or why faster devices cannot run the model; and on a CPU whether
    /// the program was compiled for narrower vectors than it has.
    /// </summary>
    public string DeviceReason { get; }

    /// <summary>Gets how many threads the host may use for the model's sake.</summary>
    internal int ThreadCount { get; init; } = Environment.ProcessorCount;

    /// <summary>Gets the weights.</summary>
    internal Checkpoint Checkpoint => _checkpoint;

    /// <summary>Gets whether the model can be run with an observer of experts.</summary>
    internal bool MeasuresExperts => _backend.MeasuresExperts;

    /// <summary>
    /// Gets the bytes of weights: of the mapped files, or of all tensors when some were converted into memory of their own.
    /// </summary>
    public long WeightBytes => _checkpoint.TotalBytes;

    /// <summary>Loads the model in a folder of safetensors files, or in a GGUF file.</summary>
    /// <param name="modelPath">
    /// The folder that holds <c>config.json</c> and the weights, or a GGUF file; of a model split into several, the first. A
    /// folder with one GGUF model and no safetensors files stands for that model.
    /// </param>
    /// <param name="options">How to run it; <see langword="null"/> for the defaults.</param>
    /// <param name="progress">Told how far loading has come.</param>
    /// <param name="cancellationToken">Stops loading; nothing is left behind.</param>
    /// <returns>The model; the caller disposes it.</returns>
    /// <exception cref="DirectoryNotFoundException">There is no such folder or file.</exception>
    /// <exception cref="FileNotFoundException">The folder lacks <c>config.json</c> or weights.</exception>
    /// <exception cref="ModelFormatException">A file is damaged, or the model cannot be run.</exception>
    /// <exception cref="OperationCanceledException">Loading was cancelled.</exception>
    public static KimiLinearModel Load(
        string modelPath,
        ModelLoadOptions? options = null,
        IProgress<ModelLoadProgress>? progress = null,
        CancellationToken cancellationToken = default) =>
        ModelLoader.Load(modelPath, options ?? new ModelLoadOptions(), progress, cancellationToken);

    /// <summary>Loads a model without blocking the caller.</summary>
    /// <inheritdoc cref="Load"/>
    public static Task<KimiLinearModel> LoadAsync(
        string modelPath,
        ModelLoadOptions? options = null,
        IProgress<ModelLoadProgress>? progress = null,
        CancellationToken cancellationToken = default) =>
        Task.Run(() => Load(modelPath, options, progress, cancellationToken), cancellationToken);

    /// <summary>Reads a model's configuration and leaves its weights alone.</summary>
    /// <param name="modelPath">The folder that holds <c>config.json</c>, or a GGUF file, as in <see cref="Load"/>.</param>
    /// <returns>The configuration of a model that this library can run.</returns>
    /// <exception cref="DirectoryNotFoundException">There is no such folder or file.</exception>
    /// <exception cref="FileNotFoundException">The folder lacks <c>config.json</c>.</exception>
    /// <exception cref="ModelFormatException">A file is damaged, or the model cannot be run.</exception>
    public static KimiLinearConfig LoadConfig(string modelPath) => ModelLocation.Find(modelPath).LoadConfig();

    /// <summary>Makes a model of random weights in memory, to measure speed with; what it writes means nothing.</summary>
    /// <param name="config">The model's shape.</param>
    /// <param name="format">How its large matrices are stored; not <see cref="WeightFormat.Source"/>.</param>
    /// <param name="options">How to run it; <see langword="null"/> for the defaults.</param>
    /// <param name="seed">Decides the weights, whatever the machine and the number of threads.</param>
    /// <param name="progress">Told how far it has come.</param>
    /// <param name="cancellationToken">Stops it; nothing is left behind.</param>
    /// <returns>The model; the caller disposes it.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="config"/> is <see langword="null"/>.</exception>
    /// <exception cref="ArgumentException">A value of the configuration is out of range, or the format names none.</exception>
    /// <exception cref="ModelConfigurationException">The configuration's values do not fit together.</exception>
    /// <exception cref="InsufficientMemoryException">The weights would not fit the memory of the process.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static KimiLinearModel CreateRandom(
        KimiLinearConfig config,
        WeightFormat format,
        ModelLoadOptions? options = null,
        int seed = 1,
        IProgress<ModelLoadProgress>? progress = null,
        CancellationToken cancellationToken = default) =>
        ModelLoader.CreateRandom(config, format, options ?? new ModelLoadOptions(), seed, progress, cancellationToken);

    /// <summary>Counts what decoding one token moves between memory and processor.</summary>
    /// <param name="contextTokens">The tokens before it, at least 0. The model's limit is not checked.</param>
    /// <returns>The count, for the weights as they are stored.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="contextTokens"/> is negative.</exception>
    public TokenTraffic TrafficAt(long contextTokens) => TokenTraffic.Of(Config, _checkpoint, contextTokens);

    /// <summary>Measures how fast the GPU that the model computes on moves its memory: the bound on decoding there.</summary>
    /// <returns>
    /// The bytes that a large copy reads and writes in a second, or <see langword="null"/> where the model does not compute with
    /// kernels of this library on a GPU.
    /// </returns>
    /// <exception cref="DeviceMemoryException">The GPU has no memory left to copy.</exception>
    /// <exception cref="ObjectDisposedException">The model has been disposed.</exception>
    public double? MeasureDeviceBandwidth()
    {
        lock (_step)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            return _backend.MeasureBandwidth();
        }
    }

    /// <summary>Appends tokens to a sequence and computes the scores of the token after the last of them.</summary>
    /// <param name="sequence">The sequence to extend.</param>
    /// <param name="tokenIds">The new tokens, at least one. [T]</param>
    /// <param name="logits">Receives the scores, or is empty when they are not wanted. [N]</param>
    /// <exception cref="ArgumentNullException"><paramref name="sequence"/> is <see langword="null"/>.</exception>
    /// <exception cref="ArgumentException">There are no tokens, the sequence belongs to another model, or
    /// <paramref name="logits"/> has another length than 0 or the vocabulary's size.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A token id lies outside the vocabulary.</exception>
    /// <exception cref="InvalidOperationException">The context would grow beyond the model's limit, or an earlier step of the
    /// sequence failed half way.</exception>
    /// <exception cref="ObjectDisposedException">The model or the sequence has been disposed.</exception>
    public void Forward(SequenceState sequence, ReadOnlySpan<int> tokenIds, Span<float> logits)
    {
        if (!logits.IsEmpty)
        {
            RequireLength(logits, 1);
        }

        LogitsRequest request = logits.IsEmpty ? LogitsRequest.None : LogitsRequest.LastToken;
        Run(sequence, tokenIds, request, logits, isPrompt: tokenIds.Length >= PromptTokens);
    }

    /// <summary>Appends tokens to a sequence and computes the scores of the next token after each of them.</summary>
    /// <param name="sequence">The sequence to extend.</param>
    /// <param name="tokenIds">The new tokens, at least one. [T]</param>
    /// <param name="logits">Receives the scores, row by row. [T, N]</param>
    /// <inheritdoc cref="Forward(SequenceState, ReadOnlySpan{int}, Span{float})" path="/exception"/>
    public void ForwardEveryToken(SequenceState sequence, ReadOnlySpan<int> tokenIds, Span<float> logits)
    {
        RequireLength(logits, tokenIds.Length);
        Run(sequence, tokenIds, LogitsRequest.EveryToken, logits, isPrompt: tokenIds.Length >= PromptTokens);
    }

    /// <summary>Appends a piece of a prompt, however short, and computes the scores after the last of its tokens.</summary>
    /// <param name="sequence">The sequence to extend.</param>
    /// <param name="tokenIds">The piece. [T]</param>
    /// <param name="logits">Receives the scores, or is empty when they are not wanted. [N]</param>
    internal void ReadPrompt(SequenceState sequence, ReadOnlySpan<int> tokenIds, Span<float> logits) =>
        Run(sequence, tokenIds, logits.IsEmpty ? LogitsRequest.None : LogitsRequest.LastToken, logits, isPrompt: true);

    /// <summary>Appends what a reply wrote, and computes the scores after the last of it.</summary>
    /// <param name="sequence">The sequence to extend.</param>
    /// <param name="tokenIds">The tokens. [T]</param>
    /// <param name="logits">Receives the scores. [N]</param>
    internal void ReadReply(SequenceState sequence, ReadOnlySpan<int> tokenIds, Span<float> logits) =>
        Run(sequence, tokenIds, LogitsRequest.LastToken, logits, isPrompt: false);

    /// <summary>Runs several sequences in one step.</summary>
    /// <param name="entries">The sequences, each at most once, those that read prompts last.</param>
    /// <param name="logits">Receives the rows asked for, in the order of the entries. [rows, N]</param>
    /// <param name="observer">Watches the pass, or <see langword="null"/>.</param>
    internal void Forward(ReadOnlySpan<BatchEntry> entries, Span<float> logits, IRoutingObserver? observer = null)
    {
        lock (_step)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            RequireLength(logits, ValidateBatch(entries));
            Run(entries, logits, observer);
        }
    }

    /// <summary>Runs several sequences in one step and leaves the scores where they are; for measuring, it does not wait.</summary>
    /// <param name="entries">The sequences, each at most once.</param>
    internal void ForwardUnread(ReadOnlySpan<BatchEntry> entries)
    {
        lock (_step)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            _ = ValidateBatch(entries);
            Run(entries, [], observer: null);
        }
    }

    /// <summary>Releases the weights and the memory of all sequences, once the step in progress has ended.</summary>
    public void Dispose()
    {
        lock (_step)
        {
            if (_disposed)
            {
                return;
            }

            _disposed = true;
            _workspace.Dispose();
            _pool.Dispose();
            _network.Dispose();
            _backend.Dispose();
            _checkpoint.Dispose();
        }
    }

    private void Run(ReadOnlySpan<BatchEntry> entries, Span<float> logits, IRoutingObserver? observer)
    {
        if (entries.IsEmpty)
        {
            return;
        }

        try
        {
            _context.Observer = observer;
            foreach (BatchEntry entry in entries)
            {
                entry.Sequence.Join(_context.Batch, entry.TokenIds.Span, entry.Logits, entry.IsPrompt);
            }

            ReserveWorkspace();
            foreach (BatchEntry entry in entries)
            {
                entry.Sequence.BeginStep();
            }

            RunBatch(logits);
            foreach (BatchEntry entry in entries)
            {
                entry.Sequence.EndStep(entry.TokenIds.Length);
            }
        }
        finally
        {
            _context.Batch.Clear();
        }
    }

    private void Run(
        SequenceState sequence, ReadOnlySpan<int> tokenIds, LogitsRequest request, Span<float> logits, bool isPrompt)
    {
        lock (_step)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            Validate(sequence, tokenIds);
            try
            {
                _context.Observer = null;
                sequence.Join(_context.Batch, tokenIds, request, isPrompt);
                ReserveWorkspace();
                sequence.BeginStep();
                RunBatch(logits);
                sequence.EndStep(tokenIds.Length);
            }
            finally
            {
                _context.Batch.Clear();
            }
        }
    }

    // Before anything changes: a step that finds too little memory here may be tried again.
    private void ReserveWorkspace() => _workspace.Reserve(_context.Batch.TokenCount, _context.Batch.LogitsRowCount);

    private void RunBatch(Span<float> logits)
    {
        _backend.Run(_context.Batch, _pool.Storage, _context.Observer is not null, _operators);
        if (!logits.IsEmpty)
        {
            _backend.Download(_workspace.Logits, logits);
        }
    }

    // Returns how many rows of scores are wanted.
    private int ValidateBatch(ReadOnlySpan<BatchEntry> entries)
    {
        int rows = 0;
        for (int i = 0; i < entries.Length; i++)
        {
            BatchEntry entry = entries[i];
            Validate(entry.Sequence, entry.TokenIds.Span);
            if (i > 0 && entries[i - 1].IsPrompt && !entry.IsPrompt)
            {
                throw new ArgumentException($"Prompts come last in a step, but entry {i} behind one is a reply's.", nameof(entries));
            }

            for (int j = 0; j < i; j++)
            {
                if (entries[j].Sequence == entry.Sequence)
                {
                    throw new ArgumentException(
                        $"A sequence takes part in a step once, but entries {j} and {i} hold the same one.", nameof(entries));
                }
            }

            rows += entry.Logits switch
            {
                LogitsRequest.None => 0,
                LogitsRequest.LastToken => 1,
                _ => entry.TokenIds.Length,
            };
        }

        return rows;
    }

    private void Validate(SequenceState sequence, ReadOnlySpan<int> tokenIds)
    {
        ArgumentNullException.ThrowIfNull(sequence);
        sequence.ThrowIfUnusable();
        if (sequence.Pool != _pool)
        {
            throw new ArgumentException(
                "The sequence belongs to another model. Create it with this model's CreateSequence.", nameof(sequence));
        }

        if (tokenIds.IsEmpty)
        {
            throw new ArgumentException("There are no tokens. Pass at least one.", nameof(tokenIds));
        }

        for (int i = 0; i < tokenIds.Length; i++)
        {
            if ((uint)tokenIds[i] >= (uint)Config.VocabularySize)
            {
                throw new ArgumentOutOfRangeException(
                    nameof(tokenIds),
                    tokenIds[i],
                    $"The token id at index {i} must be between 0 and {Config.VocabularySize - 1}.");
            }
        }

        if ((long)sequence.Length + tokenIds.Length > Config.MaxContextTokens)
        {
            throw new InvalidOperationException(string.Create(
                CultureInfo.InvariantCulture,
                $"The sequence has {sequence.Length:N0} tokens and would grow by {tokenIds.Length:N0}, " +
                $"but the model accepts at most {Config.MaxContextTokens:N0}."));
        }
    }

    private void RequireLength(Span<float> logits, int rows)
    {
        if (logits.Length != (long)rows * Config.VocabularySize)
        {
            throw new ArgumentException(
                $"logits must have room for {rows} × {Config.VocabularySize} values, but has {logits.Length}.", nameof(logits));
        }
    }
}
