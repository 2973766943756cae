namespace KimiLinear.Backends;

/// <summary>An operand in memory: base + index + displacement.</summary>
/// <param name="Base">The general register with the base.</param>
/// <param name="Displacement">Bytes to add.</param>
/// <param name="Index">The general register with the index, if there is one.</param>
internal readonly record struct MachineMemory(MachineRegister Base, int Displacement = 0, MachineRegister? Index = null);
