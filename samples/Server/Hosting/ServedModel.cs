using KimiLinear.Extensions.AI;
using KimiLinear.Model;
using KimiLinear.Scheduling;
using KimiLinear.Tokenization;
using KimiServer.Figures;
using Microsoft.AspNetCore.Http;

namespace KimiServer.Hosting;

/// <summary>The loaded model and the names it answers to.</summary>
internal sealed class ServedModel : IAsyncDisposable
{
    /// <summary>Takes over a client, which is disposed with the model.</summary>
    public ServedModel(KimiLinearChatClient client, IReadOnlyList<string> names)
    {
        Client = client;
        Names = names;
        Engine = (GenerationEngine)client.GetService(typeof(GenerationEngine))!;
        Tokenizer = (KimiTokenizer)client.GetService(typeof(KimiTokenizer))!;
        VocabularySize = ((KimiLinearModel)client.GetService(typeof(KimiLinearModel))!).Config.VocabularySize;
        Histograms = new EngineHistograms(Engine);
    }

    public KimiLinearChatClient Client { get; }

    public GenerationEngine Engine { get; }

    public KimiTokenizer Tokenizer { get; }

    /// <summary>Token ids lie below it.</summary>
    public int VocabularySize { get; }

    public EngineHistograms Histograms { get; }

    /// <summary>The names; replies carry the first.</summary>
    public IReadOnlyList<string> Names { get; }

    public string Name => Names[0];

    public DateTimeOffset LoadedAt { get; } = DateTimeOffset.UtcNow;

    public ValueTask DisposeAsync()
    {
        Histograms.Dispose();
        return Client.DisposeAsync();
    }

    /// <summary>Refuses a request for another model; one that names none means this one.</summary>
    public void RequireName(string? requested)
    {
        if (requested is not null && !Names.Contains(requested, StringComparer.OrdinalIgnoreCase))
        {
            throw new ApiException(
                StatusCodes.Status404NotFound,
                "invalid_request_error",
                $"The model '{requested}' does not exist here. This server runs '{string.Join("', '", Names)}'.",
                "model",
                "model_not_found");
        }
    }
}
