namespace KimiLinear.ToolCalls;

/// <summary>One call of a tool, as the model wrote it.</summary>
/// <param name="Id">
/// The id, verbatim; the model is trained on the form <c>functions.get_weather:0</c>, but may write anything, even nothing.
/// </param>
/// <param name="Name">The tool's name, without prefix and index.</param>
/// <param name="Arguments">
/// The arguments as JSON text. A parsed call holds what the model wrote, be it valid JSON or not, and <c>{}</c> where it wrote
/// nothing.
/// </param>
public sealed record ToolCall(string Id, string Name, string Arguments);
