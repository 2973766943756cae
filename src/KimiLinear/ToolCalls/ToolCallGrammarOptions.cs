using KimiLinear.Sampling;

namespace KimiLinear.ToolCalls;

/// <summary>How a reply may call tools.</summary>
public sealed record ToolCallGrammarOptions
{
    /// <summary>Gets a value indicating whether the reply must call a tool. Otherwise it may.</summary>
    /// <value>The default is <see langword="false"/>.</value>
    public bool IsCallRequired { get; init; }

    /// <summary>
    /// Gets what the reply is when it calls no tool, and then it is nothing but that; <see langword="null"/> for text, behind
    /// which calls may follow. Not together with <see cref="IsCallRequired"/>.
    /// </summary>
    /// <value>The default is <see langword="null"/>.</value>
    public JsonGrammar? Otherwise { get; init; }

    /// <summary>Gets a value indicating whether the reply may have more than one call.</summary>
    /// <value>The default is <see langword="true"/>.</value>
    public bool AllowSeveral { get; init; } = true;

    /// <summary>Gets the number of the first call: how many calls the conversation has had so far, 0 or more.</summary>
    /// <value>The default is 0.</value>
    public int FirstIndex
    {
        get;
        init
        {
            ArgumentOutOfRangeException.ThrowIfNegative(value, nameof(FirstIndex));
            field = value;
        }
    }

    /// <summary>Gets how the schemas of the arguments are compiled; <see langword="null"/> for the defaults.</summary>
    /// <value>The default is <see langword="null"/>.</value>
    public JsonGrammarOptions? Arguments { get; init; }
}
