namespace KimiLinear.Extensions.AI.Tests;

/// <summary>Calls as the model writes them.</summary>
internal static class Written
{
    public static string Calls(params (string Id, string Arguments)[] calls) =>
        $"<|tool_calls_section_begin|>{string.Concat(calls.Select(call => Call(call.Id, call.Arguments)))}<|tool_calls_section_end|>";

    public static string Call(string id, string arguments) =>
        $"<|tool_call_begin|>{id}<|tool_call_argument_begin|>{arguments}<|tool_call_end|>";
}
