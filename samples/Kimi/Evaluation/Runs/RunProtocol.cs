namespace Kimi.Evaluation.Runs;

/// <summary>Everything that a score depends on; a run is only continued under the same protocol.</summary>
internal sealed record RunProtocol
{
    public required string Benchmark { get; init; }

    public required string Title { get; init; }

    /// <summary>Prompt, extraction and scoring in one sentence.</summary>
    public required string Protocol { get; init; }

    /// <summary>The score that counts.</summary>
    public required string MainScore { get; init; }

    /// <summary>The name of the data file, without its folder.</summary>
    public required string Data { get; init; }

    public required string DataSha256 { get; init; }

    /// <summary>The days of the problems that were asked; <see langword="null"/> without a limit.</summary>
    public DateOnly? Since { get; init; }

    public DateOnly? Until { get; init; }

    /// <summary>How many items are asked: all of the file, or its first.</summary>
    public required int Items { get; init; }

    /// <summary>How many replies each item gets.</summary>
    public required int Samples { get; init; }

    /// <summary>The model's name.</summary>
    public required string Model { get; init; }

    /// <summary>The model's folder, or the address where it is served.</summary>
    public required string Location { get; init; }

    public required int MaxTokens { get; init; }

    public required float Temperature { get; init; }

    public float? TopP { get; init; }

    public required long Seed { get; init; }

    /// <summary>The most tokens of a prompt, whose middle is removed; <see langword="null"/> when prompts stay whole.</summary>
    public int? MaxInputTokens { get; init; }

    /// <summary>The model that compares answers; <see langword="null"/> for exact comparison.</summary>
    public string? Judge { get; init; }

    /// <summary>What held generated programs; <see langword="null"/> when there are none.</summary>
    public string? Sandbox { get; init; }

    /// <summary>The Python that ran them.</summary>
    public string? Python { get; init; }

    /// <summary>Says in what two protocols differ, in the names of the file.</summary>
    public IEnumerable<string> DifferencesTo(RunProtocol other) => RunFiles.Differences(this, other);
}
