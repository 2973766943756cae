using KimiLinear.ToolCalls;

namespace KimiLinear.Calibration;

/// <summary>How calibration data becomes sequences of tokens.</summary>
public sealed record CalibrationOptions
{
    private const int DefaultMaxSequenceTokens = 16_384;

    /// <summary>Gets the most tokens a sequence may have.</summary>
    /// <value>The default is 16,384, as the published pruned models were calibrated with.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is below 1.</exception>
    public int MaxSequenceTokens
    {
        get;
        init
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value, 1, nameof(MaxSequenceTokens));
            field = value;
        }
    } = DefaultMaxSequenceTokens;

    /// <summary>Gets whether records that are longer are left out; otherwise they are cut at the end.</summary>
    /// <value>The default is <see langword="false"/>.</value>
    public bool SkipsLongRecords { get; init; }

    /// <summary>
    /// Gets whether sequences are filled with one record behind the other, and the last one of each is cut. Otherwise every record
    /// is a sequence of its own, and knows nothing of the others.
    /// </summary>
    /// <value>The default is <see langword="false"/>.</value>
    public bool Packs { get; init; }

    /// <summary>Gets the most tokens to use of all files together, divided by their weights.</summary>
    /// <value>The default, <see langword="null"/>, is no limit.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is below 1.</exception>
    public long? MaxTokens
    {
        get;
        init
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value ?? 1, 1, nameof(MaxTokens));
            field = value;
        }
    }

    /// <summary>Gets the most records to use of all files together, divided by their weights.</summary>
    /// <value>The default, <see langword="null"/>, is no limit.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is below 1.</exception>
    public long? MaxRecords
    {
        get;
        init
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value ?? 1, 1, nameof(MaxRecords));
            field = value;
        }
    }

    /// <summary>Gets what decides about the order in which records are used.</summary>
    /// <value>The default, <see langword="null"/>, uses them in the order of the file.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is negative.</exception>
    public int? Seed
    {
        get;
        init
        {
            ArgumentOutOfRangeException.ThrowIfNegative(value ?? 0, nameof(Seed));
            field = value;
        }
    }

    /// <summary>Gets how many tokens the model knows; a record with a token id beyond them is refused.</summary>
    /// <value>The default, <see langword="null"/>, does not look.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is below 1.</exception>
    public int? VocabularySize
    {
        get;
        init
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value ?? 1, 1, nameof(VocabularySize));
            field = value;
        }
    }

    /// <summary>Gets the tools that are declared in conversations whose record names none.</summary>
    /// <value>The default is none.</value>
    /// <exception cref="ArgumentNullException">The value is <see langword="null"/>.</exception>
    public IReadOnlyList<ToolDeclaration> Tools
    {
        get;
        init => field = value ?? throw new ArgumentNullException(nameof(Tools));
    } = [];
}
