namespace KimiLinear.Model;

/// <summary>How a model is packed.</summary>
public sealed record ModelPackOptions
{
    private const long DefaultMaxShardBytes = 4_000_000_000;

    /// <summary>
    /// Gets the number of threads that convert weights, besides the one that writes; the result does not depend on it.
    /// </summary>
    /// <value>The default is the number of processors, at most 64.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is below 1 or above 1,024.</exception>
    public int ThreadCount
    {
        get;
        init
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value, 1, nameof(ThreadCount));
            ArgumentOutOfRangeException.ThrowIfGreaterThan(value, 1024, nameof(ThreadCount));
            field = value;
        }
    } = Math.Min(Environment.ProcessorCount, 64);

    /// <summary>
    /// Gets the size that a weight file may have, in bytes; a tensor that is larger gets a file of its own. When packing is
    /// stopped, at most the work on one file is lost.
    /// </summary>
    /// <value>The default is 4,000,000,000.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is below 1.</exception>
    public long MaxShardBytes
    {
        get;
        init
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value, 1, nameof(MaxShardBytes));
            field = value;
        }
    } = DefaultMaxShardBytes;

    /// <summary>
    /// Gets what is called with the folder of the copy once all else is written, before it gets its name: to add files of one's
    /// own, such as the tokenizer of a GGUF file, which <c>KimiTokenizer.Save</c> writes.
    /// </summary>
    /// <value>The default is <see langword="null"/>: nothing is added.</value>
    public Action<string>? AddFiles { get; init; }

    /// <summary>Gets what tells the free bytes of the disk that holds a folder.</summary>
    internal Func<string, long> FreeSpace { get; init; } = FreeBytes;

    // A share of another machine is no drive, and tells nothing.
    private static long FreeBytes(string folder)
    {
        try
        {
            return new DriveInfo(folder).AvailableFreeSpace;
        }
        catch (ArgumentException)
        {
            return long.MaxValue;
        }
    }
}
