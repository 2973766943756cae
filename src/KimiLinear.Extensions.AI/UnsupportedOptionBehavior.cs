namespace KimiLinear.Extensions.AI;

/// <summary>What a client does with an option that it cannot honour and the contract lets it leave out.</summary>
public enum UnsupportedOptionBehavior
{
    /// <summary>Leaves it out and says so in the log.</summary>
    Log,

    /// <summary>
    /// Refuses the request with <see cref="NotSupportedException"/>, which names the option. A schema that is a wish
    /// (<see cref="KimiLinearChatClient.StrictProperty"/>) is logged.
    /// </summary>
    Throw,

    /// <summary>Leaves it out.</summary>
    Ignore,
}
