namespace KimiLinear.Generation;

/// <summary>Why a reply ended.</summary>
public enum FinishReason
{
    /// <summary>The model wrote a token that ends a reply, such as the end of its turn.</summary>
    EndOfText,

    /// <summary>The text reached one of the stop sequences asked for.</summary>
    StopSequence,

    /// <summary>As many tokens were generated as were asked for.</summary>
    MaxTokens,

    /// <summary>The model has read as many tokens as it accepts, prompt and reply together.</summary>
    ContextLimit,
}
