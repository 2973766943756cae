namespace KimiLinear.Sampling;

/// <summary>
/// A part of a grammar that is written out only where a text gets to: a kind of JSON value, for instance. Rules may refer to each
/// other in circles.
/// </summary>
/// <remarks>Immutable once compiled; shared by all machines of a grammar. State 0 is the whole of it.</remarks>
internal abstract class GrammarRule
{
    /// <summary>The height of a rule that no text fits.</summary>
    public const int Impossible = int.MaxValue;

    /// <summary>
    /// Gets how many objects and arrays lie inside one another at least, in any text of the rule;
    /// <see cref="Impossible"/> if no text fits.
    /// </summary>
    public int Height { get; protected set; } = Impossible;

    /// <summary>Gets a value indicating whether it matters how deep a text may still nest.</summary>
    public virtual bool UsesDepth => false;

    /// <summary>Works out the height from those of the rules it refers to, which may not be final.</summary>
    /// <returns>Whether the height changed.</returns>
    public virtual bool UpdateHeight() => false;

    /// <summary>Tells whether a state may be the end.</summary>
    public virtual bool IsNullable(int state) => false;

    /// <summary>Writes out a state.</summary>
    /// <param name="nodes">Makes the nodes.</param>
    /// <param name="state">The state.</param>
    /// <param name="depth">How many objects and arrays may still be opened inside one another; at least the height.</param>
    public abstract GrammarNode Expand(GrammarNodes nodes, int state, int depth);
}
