using Microsoft.Extensions.AI;

namespace KimiLinear.Extensions.AI.Tests;

/// <summary>A value of one member of <see cref="ChatOptions"/>.</summary>
/// <param name="Member">The member.</param>
/// <param name="Value">The value, in words.</param>
/// <param name="Set">Sets it.</param>
/// <param name="Refusal">The exception that refuses it; <see langword="null"/> if it is accepted.</param>
internal sealed record OptionCase(string Member, string Value, Action<ChatOptions> Set, Type? Refusal = null)
{
    /// <summary>What the message of the refusal calls the member.</summary>
    public string NamedAs { get; init; } = Member;
}
