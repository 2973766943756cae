namespace KimiLinear.Scheduling;

/// <summary>What an engine has done. Written by one thread, read by any.</summary>
internal sealed class EngineCounters
{
    public long Completed { get; set; }

    public long Cancelled { get; set; }

    public long Failed { get; set; }

    public long Preempted { get; set; }

    public long Steps { get; set; }

    public long PromptTokens { get; set; }

    public long CachedPromptTokens { get; set; }

    public long GeneratedTokens { get; set; }

    public long GuessedTokens { get; set; }

    public long RightTokens { get; set; }
}
