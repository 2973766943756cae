using Microsoft.Extensions.Options;

namespace KimiLinear.Extensions.AI;

/// <summary>Checks the options when a host starts, so that a missing model fails there and not on the first request.</summary>
internal sealed class ValidateKimiLinearChatClientOptions : IValidateOptions<KimiLinearChatClientOptions>
{
    public ValidateOptionsResult Validate(string? name, KimiLinearChatClientOptions options)
    {
        string prefix = string.IsNullOrEmpty(name)
            ? KimiLinearChatClientOptions.DefaultSectionName
            : $"{KimiLinearChatClientOptions.DefaultSectionName} '{name}'";
        string[] faults = [.. options.FindFaults().Select(fault => $"{prefix}: {fault}")];
        return faults.Length == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(faults);
    }
}
