using KimiLinear.Backends;

namespace KimiLinear.Tests.Backends;

/// <summary>An instruction as text and as bytes.</summary>
/// <param name="Text">What GNU as reads after ".intel_syntax noprefix"; what is in braces chooses among equally valid forms.</param>
/// <param name="Bytes">The bytes in hexadecimal.</param>
/// <param name="Write">Writes it.</param>
internal sealed record MachineCodeCase(string Text, string Bytes, Action<MachineCodeWriter> Write);
