namespace KimiLinear.Extensions.AI.Integration;

/// <summary>A reply broke a rule that holds whatever the model says. No assertion, so that no scenario excuses it.</summary>
internal sealed class BrokenRuleException(string message, Exception? inner = null) : Exception(message, inner);
