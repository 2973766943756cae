namespace KimiLinear.Backends;

/// <summary>After which tokens of a sequence the scores of the next token are wanted.</summary>
internal enum LogitsRequest
{
    /// <summary>After none, as in all but the last piece of a prompt.</summary>
    None,

    /// <summary>After the last one.</summary>
    LastToken,

    /// <summary>After each one.</summary>
    EveryToken,
}
