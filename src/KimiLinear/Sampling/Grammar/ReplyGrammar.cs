using KimiLinear.Tokenization;

namespace KimiLinear.Sampling;

/// <summary>What a whole reply may look like: JSON, calls of tools, text, or one of them.</summary>
/// <remarks>
/// Immutable and safe for concurrent use: any number of requests may share one.
/// </remarks>
public sealed class ReplyGrammar
{
    internal ReplyGrammar(
        JsonGrammar? value, ToolCallSection? calls, bool allowsText, IReadOnlyList<UnenforcedKeyword> unenforced)
    {
        Value = value;
        Calls = calls;
        AllowsText = allowsText;
        UnenforcedKeywords = unenforced;
    }

    /// <summary>Gets the keywords of the schemas involved that a reply may violate; empty if everything is enforced.</summary>
    public IReadOnlyList<UnenforcedKeyword> UnenforcedKeywords { get; }

    /// <summary>Gets what the reply is if it is JSON; <see langword="null"/> if it must not be.</summary>
    internal JsonGrammar? Value { get; }

    /// <summary>Gets the calls that the reply may have; <see langword="null"/> if it must have none.</summary>
    internal ToolCallSection? Calls { get; }

    /// <summary>Gets a value indicating whether the reply may be text, with calls behind it or without.</summary>
    internal bool AllowsText { get; }

    /// <summary>Makes the grammar of a reply that is one JSON value and nothing else.</summary>
    /// <param name="value">The grammar of the value.</param>
    /// <returns>The grammar of the reply.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="value"/> is <see langword="null"/>.</exception>
    public static ReplyGrammar Json(JsonGrammar value)
    {
        ArgumentNullException.ThrowIfNull(value);
        return new ReplyGrammar(value, calls: null, allowsText: false, value.UnenforcedKeywords);
    }

    /// <summary>Checks what only a model can tell: that its tokens can end the reply and mark the calls.</summary>
    /// <exception cref="ArgumentException">
    /// No token ends the reply, or the tokenizer lacks a special token that the grammar needs.
    /// </exception>
    internal void RequireTokens(KimiTokenizer tokenizer, IReadOnlyList<int> stopTokenIds)
    {
        if (stopTokenIds.Count == 0)
        {
            throw new ArgumentException("A reply that is held to a grammar needs a token that ends it.", nameof(stopTokenIds));
        }

        if (Calls is not null)
        {
            _ = new ToolCallTokens(Calls, tokenizer);
        }
    }
}
