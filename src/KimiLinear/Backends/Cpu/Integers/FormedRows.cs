namespace KimiLinear.Backends;

/// <summary>Quantised rows and the form they are in.</summary>
internal readonly record struct FormedRows(QuantizedRows Rows, QuantizedForm Form);
