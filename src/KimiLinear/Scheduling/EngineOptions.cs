using System.Globalization;
using KimiLinear.Configuration;

namespace KimiLinear.Scheduling;

/// <summary>How an engine shares a model among requests.</summary>
/// <remarks>A property that is set to a value outside its range throws.</remarks>
public sealed record EngineOptions
{
    /// <summary>Gets how many requests are computed side by side, at least 1; further ones wait.</summary>
    /// <value>The default is 64.</value>
    public int MaxSequences
    {
        get;
        init
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value, 1, nameof(MaxSequences));
            field = value;
        }
    } = 64;

    /// <summary>Gets how many requests may wait for a place, at least 0; further ones are refused.</summary>
    /// <value>The default is 1,024.</value>
    public int MaxQueued
    {
        get;
        init
        {
            ArgumentOutOfRangeException.ThrowIfNegative(value, nameof(MaxQueued));
            field = value;
        }
    } = 1024;

    /// <summary>
    /// Gets the most tokens of a request, prompt and reply together, at least 1 and at most the model's own limit;
    /// <see langword="null"/> for that limit. An engine refuses more than its model can read.
    /// </summary>
    /// <value>The default is <see langword="null"/>.</value>
    public int? MaxContextTokens
    {
        get;
        init
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value ?? 1, 1, nameof(MaxContextTokens));
            field = value;
        }
    }

    /// <summary>
    /// Gets the bytes that sequences may hold, those kept for later requests included, at least what a single token needs;
    /// <see langword="null"/> for half of what the model leaves of the device's memory.
    /// </summary>
    /// <value>The default is <see langword="null"/>.</value>
    public long? MemoryBytes
    {
        get;
        init
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value ?? 1, 1, nameof(MemoryBytes));
            field = value;
        }
    }

    /// <summary>Gets a value indicating whether what prompts have in common is computed once and resumed.</summary>
    /// <value>The default is <see langword="true"/>.</value>
    public bool ReusePrefixes { get; init; } = true;

    /// <summary>
    /// Gets the folder for kept prefixes that memory has no room for, and for requests that lose their memory to others;
    /// <see langword="null"/> for none: what does not fit is read again. Its files have no use beyond the process and vanish with it.
    /// </summary>
    /// <value>
    /// The default is <see langword="null"/>. The folder is made when the engine is, which throws if it or a file in it cannot be;
    /// <see cref="PreparePrefixFolder"/> finds that out before a model is loaded.
    /// </value>
    public string? PrefixFolder { get; init; }

    /// <summary>
    /// Gets the most bytes of the files in <see cref="PrefixFolder"/>, at least 1. There are never more than 512 files.
    /// </summary>
    /// <value>The default is 16 GiB.</value>
    public long PrefixFolderBytes
    {
        get;
        init
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value, 1, nameof(PrefixFolderBytes));
            field = value;
        }
    } = 16L << 30;

    /// <summary>
    /// Gets how many tokens of a prompt are read at a time, at least 1. Prompts are cut at its multiples whatever else runs, so
    /// that a reply does not depend on the load. Larger pieces read faster; smaller ones let others get their turn sooner.
    /// </summary>
    /// <value>The default is 512.</value>
    public int PieceTokens
    {
        get;
        init
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value, 1, nameof(PieceTokens));
            field = value;
        }
    } = 512;

    /// <summary>
    /// Gets how many tokens a step computes at most while no request is past its prompt, and how many are guessed at most in one
    /// step by all requests together; at least 1.
    /// </summary>
    /// <value>The default is 2,048. A piece of one prompt is always taken whole.</value>
    public int MaxStepTokens
    {
        get;
        init
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value, 1, nameof(MaxStepTokens));
            field = value;
        }
    } = 2048;

    /// <summary>
    /// Gets the share of the time that reading prompts may take while other requests write, from above 0 to below 1. With a half,
    /// replies in progress are at most twice as slow while others begin.
    /// </summary>
    /// <value>The default is 0.5.</value>
    public double PrefillShare
    {
        get;
        init
        {
            if (value is not (> 0 and < 1))
            {
                throw new ArgumentOutOfRangeException(nameof(PrefillShare), value, "The share must lie between 0 and 1, ends excluded.");
            }

            field = value;
        }
    } = 0.5;

    /// <summary>
    /// Gets how many tokens of a reply are guessed at most, from what followed the same words before, and checked in one step;
    /// 0 for none. Replies are those without guesses; text that repeats itself comes faster. A request whose guesses do not pay
    /// makes none for a while.
    /// </summary>
    /// <value>The default is 8.</value>
    public int MaxDraftTokens
    {
        get;
        init
        {
            ArgumentOutOfRangeException.ThrowIfNegative(value, nameof(MaxDraftTokens));
            field = value;
        }
    } = 8;

    /// <summary>
    /// Gets how many tokens are computed ahead of a reader, at least 1. A reader who is further behind pauses its request, which
    /// gives up its place in the steps and keeps its memory, unless nobody else can go on without.
    /// </summary>
    /// <value>The default is 256.</value>
    public int ReadAheadTokens
    {
        get;
        init
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value, 1, nameof(ReadAheadTokens));
            field = value;
        }
    } = 256;

    /// <summary>
    /// Gets who is told, once for an engine and on whatever thread it happens, that a listener of its meter or of its spans threw;
    /// <see langword="null"/> for nobody. Requests go on in any case, and so do other measurements.
    /// </summary>
    /// <value>The default is <see langword="null"/>. A chat client logs it.</value>
    public Action<Exception>? TelemetryFaultHandler { get; init; }

    /// <summary>
    /// Makes <see cref="PrefixFolder"/> if it is missing, and tries whether a file can be made in it. Does nothing where there is
    /// none, or where prefixes are not reused.
    /// </summary>
    /// <exception cref="IOException">The folder cannot be made, or no file in it.</exception>
    public void PreparePrefixFolder()
    {
        if (this is { ReusePrefixes: true, PrefixFolder: { } path })
        {
            Scheduling.PrefixFolder.Prepare(path);
        }
    }

    /// <summary>Refuses a context that a model does not have, before its weights are read or any request is.</summary>
    /// <param name="config">The model's configuration.</param>
    /// <exception cref="ArgumentException"><see cref="MaxContextTokens"/> is more than the model reads.</exception>
    public void RequireContextOf(KimiLinearConfig config)
    {
        ArgumentNullException.ThrowIfNull(config);
        if (MaxContextTokens > config.MaxContextTokens)
        {
            throw new ArgumentException(string.Create(
                CultureInfo.InvariantCulture,
                $"{nameof(MaxContextTokens)} is {MaxContextTokens:N0}, but the model reads at most {config.MaxContextTokens:N0} tokens. "
                + $"Lower it, or leave it out for all of them."));
        }
    }
}
