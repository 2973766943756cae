using KimiLinear.Tensors;

namespace KimiLinear.Checkpoints;

/// <summary>One line of a safetensors header.</summary>
/// <param name="Name">The tensor's name.</param>
/// <param name="Type">How its values are stored.</param>
/// <param name="Shape">Its axes; the number of values is known to fit 64 bits.</param>
/// <param name="Begin">Where its bytes begin, counted from the end of the header.</param>
/// <param name="End">Where its bytes end.</param>
internal sealed record SafetensorsEntry(string Name, SafetensorsDataType Type, Shape Shape, long Begin, long End);
