using KimiLinear.Sampling;
using KimiLinear.Tokenization;

namespace KimiLinear.Generation;

/// <summary>How one reply is generated and when it ends.</summary>
/// <remarks>A property that is set to a value outside its range throws. Immutable: lists are copied.</remarks>
public sealed record GenerationOptions
{
    /// <summary>Gets how tokens are drawn; <see langword="null"/> for what the model recommends.</summary>
    /// <value>The default is <see langword="null"/>. When set, nothing of the model's recommendation remains.</value>
    public SamplingOptions? SamplingOptions { get; init; }

    /// <summary>Gets the most tokens to generate, at least 1; <see langword="null"/> goes on until the context is full.</summary>
    /// <value>The default is <see langword="null"/>.</value>
    public int? MaxTokens
    {
        get;
        init
        {
            if (value is int count)
            {
                ArgumentOutOfRangeException.ThrowIfLessThan(count, 1, nameof(MaxTokens));
            }

            field = value;
        }
    }

    /// <summary>
    /// Gets texts that end the reply, compared character by character with what the model writes, across the borders of tokens.
    /// Of several, the one that is complete first ends it, and of those the longest. It is not part of the text. Special tokens
    /// are no text: none is found in them or across them.
    /// </summary>
    /// <value>
    /// The default is empty. Empty strings in it are ignored; half of a surrogate pair is refused, since no text has one.
    /// </value>
    public IReadOnlyList<string> StopSequences
    {
        get;
        init
        {
            ArgumentNullException.ThrowIfNull(value, nameof(StopSequences));
            string[] texts = [.. value.Where(text => !string.IsNullOrEmpty(text))];
            foreach (string text in texts)
            {
                WholeText.Require(text, nameof(StopSequences));
            }

            field = Array.AsReadOnly(texts);
        }
    } = [];

    /// <summary>
    /// Gets the ids that end the reply; <see langword="null"/> for those of the model, see
    /// <see cref="TextGenerator.DefaultStopTokenIds"/>. The token that ends a reply adds nothing to its text.
    /// </summary>
    /// <value>The default is <see langword="null"/>. An empty list lets no token end the reply.</value>
    public IReadOnlyList<int>? StopTokenIds
    {
        get;
        init
        {
            foreach (int tokenId in value ?? [])
            {
                ArgumentOutOfRangeException.ThrowIfNegative(tokenId, nameof(StopTokenIds));
            }

            field = value is null ? null : Array.AsReadOnly([.. value]);
        }
    }

    /// <summary>
    /// Gets the ids that are never drawn, whatever logit bias and processors make of them; <see langword="null"/> for none, and in
    /// a chat client for those that open calls of tools where the request offers no tool.
    /// </summary>
    /// <value>
    /// The default is <see langword="null"/>; an empty list forbids nothing anywhere. A reply that would never have drawn one is
    /// the same to the last bit. Where one is drawn, another is drawn from what was left in the draw beside it, or the best other
    /// token is taken if nothing was. Ids that the model lacks are ignored.
    /// </value>
    public IReadOnlyList<int>? ForbiddenTokenIds
    {
        get;
        init
        {
            foreach (int tokenId in value ?? [])
            {
                ArgumentOutOfRangeException.ThrowIfNegative(tokenId, nameof(ForbiddenTokenIds));
            }

            field = value is null ? null : Array.AsReadOnly([.. value]);
        }
    }

    /// <summary>
    /// Gets whose request it is: an engine shares its time evenly among callers, however many requests each has.
    /// </summary>
    /// <value>The default is <see langword="null"/>: the request is a caller of its own.</value>
    public string? Caller { get; init; }

    /// <summary>Gets what the reply is held to, token by token; <see langword="null"/> for nothing.</summary>
    /// <value>
    /// The default is <see langword="null"/>. A token that ends the reply comes only where the grammar allows an end, so that only
    /// <see cref="MaxTokens"/>, a stop sequence or the end of the context can cut a reply. Logit bias and penalties choose among the
    /// tokens that are allowed, and never allow others.
    /// </value>
    public ReplyGrammar? Grammar { get; init; }

    /// <summary>Gets a value indicating whether every token carries its log-probability.</summary>
    /// <value>The default is <see langword="false"/>.</value>
    public bool IncludeLogProbabilities { get; init; }

    /// <summary>Gets a value indicating whether special tokens, such as those around a tool call, appear in the text.</summary>
    /// <value>The default is <see langword="false"/>.</value>
    public bool IncludeSpecialTokens { get; init; }

    /// <summary>
    /// Gets how many tokens of the prompt are read at a time, at least 1. Between two pieces the request can be cancelled and
    /// other requests get their turn; larger pieces read faster and need more memory.
    /// </summary>
    /// <value>The default is 512.</value>
    public int PrefillChunkTokens
    {
        get;
        init
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value, 1, nameof(PrefillChunkTokens));
            field = value;
        }
    } = 512;
}
