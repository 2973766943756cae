using KimiLinear.Extensions.AI;
using KimiLinear.Scheduling;
using KimiLinear.Tokenization;
using Microsoft.AspNetCore.Http;

namespace KimiServer.Hosting;

/// <summary>The loaded model and the names it answers to.</summary>
internal sealed class ServedModel(KimiLinearChatClient client, IReadOnlyList<string> names)
{
    public KimiLinearChatClient Client => client;

    public GenerationEngine Engine { get; } = (GenerationEngine)client.GetService(typeof(GenerationEngine))!;

    public KimiTokenizer Tokenizer { get; } = (KimiTokenizer)client.GetService(typeof(KimiTokenizer))!;

    /// <summary>The names; replies carry the first.</summary>
    public IReadOnlyList<string> Names => names;

    public string Name => names[0];

    public DateTimeOffset LoadedAt { get; } = DateTimeOffset.UtcNow;

    /// <summary>Refuses a request for another model; one that names none means this one.</summary>
    public void RequireName(string? requested)
    {
        if (requested is not null && !names.Contains(requested, StringComparer.OrdinalIgnoreCase))
        {
            throw new ApiException(
                StatusCodes.Status404NotFound,
                "invalid_request_error",
                $"The model '{requested}' does not exist here. This server runs '{string.Join("', '", names)}'.",
                "model",
                "model_not_found");
        }
    }
}
