namespace KimiLinear.Pruning;

/// <summary>How a model is observed.</summary>
public sealed record ObservationOptions
{
    private const int DefaultStepTokens = 1024;

    /// <summary>Gets what is taken for the weight of an expert's output.</summary>
    /// <value>The default is <see cref="GateMode.Model"/>.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is none of the modes.</exception>
    public GateMode GateMode
    {
        get;
        init => field = Enum.IsDefined(value)
            ? value
            : throw new ArgumentOutOfRangeException(nameof(GateMode), value, "This is none of the gate modes.");
    }

    /// <summary>
    /// Gets the most tokens that are computed together: short sequences share a step, long ones are read in pieces. It decides
    /// about speed and memory, and changes results by rounding at most.
    /// </summary>
    /// <value>The default is 1,024.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is below 1.</exception>
    public int StepTokens
    {
        get;
        init
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value, 1, nameof(StepTokens));
            field = value;
        }
    } = DefaultStepTokens;

    /// <summary>
    /// Gets whether the outputs of each expert are summed up, as <see cref="PruningCriterion.EanCa"/> needs. It takes 8 bytes for each
    /// layer, expert and hidden dimension in memory, and a third more in the file: 123 and 163 MB for the 48B model.
    /// </summary>
    /// <value>The default is <see langword="false"/>.</value>
    public bool SumsOutputs { get; init; }

    /// <summary>
    /// Gets the file that the result is saved to. What is done so far lies in a folder of that name with ".partial" behind it, so
    /// that the same call goes on where an earlier one was stopped, or was killed; a file that is there already is the result if
    /// it was made of the same, and an error otherwise.
    /// </summary>
    /// <value>The default, <see langword="null"/>, saves nothing.</value>
    public string? ResultPath { get; init; }

    /// <summary>Gets how often what is done so far is saved; as much work is lost at most, besides that on one sequence.</summary>
    /// <value>The default is 30 seconds.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is negative.</exception>
    public TimeSpan SaveInterval
    {
        get;
        init
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value, TimeSpan.Zero, nameof(SaveInterval));
            field = value;
        }
    } = TimeSpan.FromSeconds(30);

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
