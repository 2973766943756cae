namespace KimiLinear.Backends;

/// <summary>Rows of a stage that are multiplied together: those that replies write, and behind them those of prompts.</summary>
internal readonly struct StageRows(Operand replies, Operand prompts)
{
    public Operand Replies { get; } = replies;

    public Operand Prompts { get; } = prompts;

    public int Count => Replies.Count + Prompts.Count;
}
